/* Bytes to frames and frames to bytes.
 *
 * With a baud the serial line has its beat: eleven bits a character. What the master wrote counts as heard only when it
 * would have passed on the wire; a frame ends after 3.5 characters of silence (1.75 ms above 19200 baud), and only then
 * is it answered, character by character. A frame that begins before the line has been silent for as long, and one at
 * another baud, is refused: recorded and dropped. Our times are those of bytes that are already there, so who is
 * refused was too early for certain.
 *
 * Without a baud, and for RTU over TCP, a frame ends where its function says, and nothing waits. */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BITS_OF_A_CHARACTER 11
#define GIVEN_UP (20 * MS) /* silence inside a frame, where the line has no beat */

int64_t char_ns, silence_ns;
static int baud;

struct piece {
    struct conn *c;
    int64_t at, beat;
    int n, sent;
    bool close;
    struct piece *next;
    uint8_t b[];
};
static struct piece *pieces;

void line_at(int at) {
    baud = at;
    char_ns = at ? BITS_OF_A_CHARACTER * 1000000000LL / at : 0;
    silence_ns = at > 19200 ? 1750000 : char_ns * 7 / 2;
}

static bool has_beat(const struct conn *c) { return char_ns && c->line; }

uint16_t crc_of(const uint8_t *b, int n) {
    uint16_t crc = 0xffff;
    for (int i = 0; i < n; i++) {
        crc ^= b[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
    }
    return crc;
}

void seal(enum frames frames, uint8_t *adu, int *n) {
    if (frames == MBAP) {
        adu[4] = (*n - 6) >> 8, adu[5] = *n - 6;
        return;
    }
    uint16_t crc = crc_of(adu, *n - 2);
    adu[*n - 2] = crc, adu[*n - 1] = crc >> 8;
}

/* ---- what is heard ---- */

/* How long the request is that begins here; more than there can be where that is not known yet. */
static int length_of(const uint8_t *b, int have) {
    if (have < 2) return LONGEST_FRAME + 1;
    switch (b[1]) {
    case 7: case 11: case 12: case 17: return 4;
    case 24: return 6;
    case 43: return 7;
    case 15: case 16: return have > 6 ? 9 + b[6] : LONGEST_FRAME + 1;
    case 22: return 10;
    case 23: return have > 10 ? 13 + b[10] : LONGEST_FRAME + 1;
    default: return 8;
    }
}

static bool whole(const uint8_t *b, int n) { return n >= 4 && crc_of(b, n - 2) == (b[n - 2] | b[n - 1] << 8); }

static void refuse(struct conn *c, const char *why) {
    record_refused(c, why);
    c->have = 0;
}

static void gather(struct conn *c, const uint8_t *b, int n) {
    if (n > (int)sizeof c->in - c->have) n = sizeof c->in - c->have;
    memcpy(c->in + c->have, b, n);
    c->have += n;
}

static void heard_at_once(struct conn *c, const uint8_t *b, int n, int64_t now) {
    gather(c, b, n);
    for (int length; c->have && (length = length_of(c->in, c->have)) <= c->have;) {
        if (!whole(c->in, length)) {
            refuse(c, "crc");
            break;
        }
        answer_serve(c, c->in, length, now);
        memmove(c->in, c->in + length, c->have -= length);
    }
    c->ends_at = c->have ? now + GIVEN_UP : 0;
}

/* An answer of which a part has passed. One that has not begun nobody can hear: to speak into that is bad luck. */
static bool still_speaks(const struct conn *c) {
    for (const struct piece *p = pieces; p; p = p->next)
        if (p->c == c && p->sent && p->sent < p->n) return true;
    return false;
}

static void heard_on_the_beat(struct conn *c, const uint8_t *b, int n, int64_t now) {
    if (!c->have) {
        c->silence = still_speaks(c) ? 0 : now - c->quiet_since;
        c->early = c->silence < silence_ns;
        c->frame_end = now;
    }
    gather(c, b, n);
    c->frame_end = (c->frame_end > now ? c->frame_end : now) + n * char_ns;
    c->ends_at = c->frame_end + silence_ns;
}

void line_heard(struct conn *c, const uint8_t *b, int n, int64_t now) {
    if (has_beat(c))
        heard_on_the_beat(c, b, n, now);
    else
        heard_at_once(c, b, n, now);
}

/* Silence has ended what was gathered. */
static void frame_ended(struct conn *c) {
    int64_t start = c->ends_at;
    c->ends_at = 0;
    c->quiet_since = c->frame_end;
    if (!has_beat(c)) return refuse(c, "cut short");
    if (line_baud(c->fd) != baud) return refuse(c, "baud");
    if (c->early) return refuse(c, "silence");
    if (!whole(c->in, c->have)) return refuse(c, "crc");
    answer_serve(c, c->in, c->have, start);
    c->have = 0;
}

/* ---- what is said ---- */

/* Who opens the line later hears nothing of what passed before. */
static bool nobody_has_it_open(const struct conn *c) {
    struct pollfd p = {.fd = c->fd};
    return c->line && poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

static void write_all(struct conn *c, const uint8_t *b, int n) {
    if (nobody_has_it_open(c)) return;
    while (n > 0 && !c->dead) {
        int done = write(c->fd, b, n);
        if (done > 0)
            b += done, n -= done;
        else if (errno != EINTR) {
            if (!c->line) conn_close(c);
            return; /* nobody reads the line, and it is full: its bytes are lost, as on a wire */
        }
    }
}

/* As it is, for a cable. */
void line_carry(struct conn *c, const uint8_t *b, int n) { write_all(c, b, n); }

static void piece_add(struct conn *c, const uint8_t *b, int n, int64_t at, bool close) {
    struct piece *p = calloc(1, sizeof *p + n), **end = &pieces;
    *p = (struct piece){.c = c, .at = at, .beat = has_beat(c) ? char_ns : 0, .n = n, .close = close};
    memcpy(p->b, b, n);
    while (*end) end = &(*end)->next;
    *end = p;
}

static void keep(struct conn *c, const struct out *o) {
    if (c->kept_n + o->n > (int)sizeof c->kept) return;
    memcpy(c->kept + c->kept_n, o->b, o->n);
    c->kept_n += o->n;
}

static void with_what_was_kept(struct conn *c, struct out *o) {
    if (c->kept_n + o->n > LONGEST_OUT) c->kept_n = 0;
    memmove(o->b + c->kept_n, o->b, o->n);
    memcpy(o->b, c->kept, c->kept_n);
    o->n += c->kept_n;
    c->kept_n = 0;
}

/* Returns when its last byte will have passed. */
int64_t line_say(struct conn *c, struct out *o, int64_t start) {
    if (o->keep) return keep(c, o), start;
    with_what_was_kept(c, o);
    int64_t at = start + o->delay, beat = has_beat(c) ? char_ns : 0;
    int n = o->cut_at >= 0 ? o->cut_at : o->n;
    if (!beat && at <= now_ns() && o->split_at < 0 && o->cut_at < 0) return write_all(c, o->b, n), at;
    int first = o->split_at >= 0 && o->split_at < n ? o->split_at : n;
    bool close = o->cut_at >= 0;
    piece_add(c, o->b, first, at, close && first == n);
    if (first == n) return at + n * beat;
    at += first * beat + o->split_pause;
    piece_add(c, o->b + first, n - first, at, close);
    return at + (n - first) * beat;
}

/* When the next byte of it has passed on the wire. */
static int64_t due(const struct piece *p) { return p->at + (p->sent + 1) * p->beat; }

static void say_what_is_due(struct piece *p, int64_t now) {
    int upto = p->beat ? (now - p->at) / p->beat : p->n;
    if (upto > p->n) upto = p->n;
    if (upto > p->sent) {
        p->c->quiet_since = now_ns();
        write_all(p->c, p->b + p->sent, upto - p->sent);
        p->sent = upto;
    }
    if (p->sent == p->n && p->close && !p->c->line) conn_close(p->c);
}

static void line_sweep(void) {
    for (struct piece **place = &pieces; *place;) {
        struct piece *p = *place;
        if (p->sent < p->n && !p->c->dead) {
            place = &p->next;
            continue;
        }
        *place = p->next;
        free(p);
    }
}

void line_forget(struct conn *c) {
    for (struct piece *p = pieces; p; p = p->next)
        if (p->c == c) p->sent = p->n;
    line_sweep();
}

/* When there is something to do next; 0: never. */
int64_t line_next(struct conn *all) {
    int64_t next = 0;
    for (struct piece *p = pieces; p; p = p->next)
        if (!next || due(p) < next) next = due(p);
    for (struct conn *c = all; c; c = c->next)
        if (c->ends_at && (!next || c->ends_at < next)) next = c->ends_at;
    return next;
}

void line_run(struct conn *all, int64_t now) {
    for (struct piece *p = pieces; p; p = p->next)
        if (due(p) <= now && !p->c->dead) say_what_is_due(p, now);
    line_sweep();
    for (struct conn *c = all; c; c = c->next)
        if (c->ends_at && c->ends_at <= now && !c->dead) frame_ended(c);
}
