/* What goes wrong with an answer. A line on the control socket arms a fault:
 *
 *   fault UNIT FROM-TO TIMES KIND ARGUMENTS     UNIT and FROM-TO may be `*`, TIMES too: until `well`
 *
 *   mute               no answer
 *   exception E        instead of the answer
 *   most N E           exception E where more than N are asked for
 *   stale              the answer before this one, as it was
 *   fewer N            N registers (or eight bits each) less, the frame right otherwise
 *   xor AT MASK        a byte from the unit on (unit 0, function 1, ...) changed, the frame right otherwise
 *   break AT MASK      a byte of the whole frame changed and nothing mended; from the end where AT is negative
 *   truncate N         without its last N bytes
 *   noise HEX          bytes in front of it
 *   tail HEX           bytes behind it
 *   twice              the same again, in one piece
 *   glue               kept, and sent in front of the next answer, in one piece
 *   split AT MS        a pause after AT bytes
 *   cut AT             after AT bytes the connection is closed; on a serial line the rest is not sent
 *   delay MS           late; others are answered meanwhile, the unit itself does one after the other
 *
 * Several may meet in one answer; they are laid over it in this order. */
#include "server.h"

#include <stdlib.h>
#include <string.h>

enum kind { MUTE, EXCEPTION, MOST, STALE, FEWER, XOR, BREAK, TRUNCATE, NOISE, TAIL, TWICE, GLUE, SPLIT, CUT, DELAY, KINDS };

/* How many arguments each takes; -1: bytes in hex. */
static const struct { const char *word; int arguments; } kinds[KINDS] = {
    {"mute", 0}, {"exception", 1}, {"most", 2}, {"stale", 0}, {"fewer", 1}, {"xor", 2}, {"break", 2}, {"truncate", 1},
    {"noise", -1}, {"tail", -1}, {"twice", 0}, {"glue", 0}, {"split", 2}, {"cut", 1}, {"delay", 1},
};

#define MOST_FAULTS 64
#define LONGEST_NOISE 64

static struct fault {
    int unit, from, to, times; /* -1: any, without end */
    enum kind kind;
    int a, b;
    uint8_t bytes[LONGEST_NOISE];
    int n;
} faults[MOST_FAULTS];
static int fault_n;

bool fault_any(void) { return fault_n > 0; }

void fault_none(void) { fault_n = 0; }

static int number_or_any(const char *word) { return !strcmp(word, "*") ? -1 : (int)strtol(word, NULL, 0); }

static bool hex(struct fault *f, const char *text) {
    for (f->n = 0; text && *text && f->n < LONGEST_NOISE; text += 2) {
        unsigned byte;
        if (sscanf(text, "%2x", &byte) != 1 || !text[1]) return false;
        f->bytes[f->n++] = byte;
    }
    return f->n > 0 && !*text;
}

static bool where(struct fault *f, const char *text) {
    f->from = 0, f->to = 65535;
    return !strcmp(text, "*") || sscanf(text, "%i-%i", &f->from, &f->to) == 2;
}

static bool arguments(struct fault *f, char **rest) {
    int wanted = kinds[f->kind].arguments;
    if (wanted < 0) return hex(f, strsep(rest, " "));
    for (int i = 0; i < wanted; i++) {
        const char *word = strsep(rest, " ");
        if (!word || !*word) return false;
        *(i ? &f->b : &f->a) = strtol(word, NULL, 0);
    }
    return !*rest;
}

bool fault_line(char *rest) {
    const char *unit = strsep(&rest, " "), *range = strsep(&rest, " "), *times = strsep(&rest, " ");
    const char *word = strsep(&rest, " ");
    if (!word || fault_n == MOST_FAULTS) return false;
    struct fault f = {.unit = number_or_any(unit), .times = number_or_any(times), .kind = 0};
    while (f.kind < KINDS && strcmp(word, kinds[f.kind].word)) f.kind++;
    if (f.kind == KINDS || !where(&f, range) || !arguments(&f, &rest)) return false;
    faults[fault_n++] = f;
    return true;
}

static bool meets(const struct fault *f, const struct request *r) {
    int last = r->address + (r->count ? r->count - 1 : 0);
    return (f->unit < 0 || f->unit == r->unit) && f->from <= last && f->to >= r->address;
}

/* Says its name in what is recorded, and counts it off. */
static void spent(int i, struct out *o) {
    size_t used = strlen(o->faults);
    snprintf(o->faults + used, sizeof o->faults - used, "%s\"%s\"", used ? "," : "", kinds[faults[i].kind].word);
    if (faults[i].times < 0 || --faults[i].times) return;
    memmove(faults + i, faults + i + 1, (--fault_n - i) * sizeof *faults);
}

/* The first of this kind that meets the request, counted off; a copy, for it may be gone. */
static bool met(enum kind kind, const struct request *r, struct out *o, struct fault *f) {
    for (int i = 0; i < fault_n; i++) {
        if (faults[i].kind != kind || !meets(faults + i, r)) continue;
        if (kind == MOST && r->count <= faults[i].a) continue;
        *f = faults[i];
        spent(i, o);
        return true;
    }
    return false;
}

bool fault_mutes(const struct request *r, struct out *o) {
    struct fault f;
    return met(MUTE, r, o, &f);
}

bool fault_stale(const struct request *r, struct out *o) {
    struct fault f;
    return met(STALE, r, o, &f);
}

int fault_exception(const struct request *r, struct out *o) {
    struct fault f;
    if (met(EXCEPTION, r, o, &f)) return f.a;
    return met(MOST, r, o, &f) ? f.b : 0;
}

static int unit_at(enum frames frames) { return frames == MBAP ? 6 : 0; }

/* Only an answer to a read can have fewer. */
static void fewer(enum frames frames, const struct request *r, struct out *o, int registers) {
    int count = unit_at(frames) + 2, bytes = r->function <= 2 ? registers : 2 * registers;
    if (r->function > 4 || o->b[count - 1] & 0x80 || o->b[count] < bytes) return;
    o->b[count] -= bytes;
    o->n -= bytes;
    seal(frames, o->b, &o->n);
}

static void xor(enum frames frames, struct out *o, int at, int mask, bool mend) {
    if (mend) at += unit_at(frames);
    if (at < 0) at += o->n;
    if (at < 0 || at >= o->n) return;
    o->b[at] ^= mask;
    if (mend) seal(frames, o->b, &o->n);
}

static void put(struct out *o, int at, const uint8_t *b, int n) {
    if (o->n + n > LONGEST_OUT) return;
    memmove(o->b + at + n, o->b + at, o->n - at);
    memcpy(o->b + at, b, n);
    o->n += n;
}

static int least(int a, int b) { return a < b ? a : b; }

static void apply(enum frames frames, const struct request *r, struct out *o, const struct fault *f) {
    uint8_t same[LONGEST_OUT];
    switch (f->kind) {
    case FEWER: fewer(frames, r, o, f->a); break;
    case XOR: xor(frames, o, f->a, f->b, true); break;
    case BREAK: xor(frames, o, f->a, f->b, false); break;
    case TRUNCATE: o->n -= least(f->a, o->n); break;
    case NOISE: put(o, 0, f->bytes, f->n); break;
    case TAIL: put(o, o->n, f->bytes, f->n); break;
    case TWICE: put(o, 0, memcpy(same, o->b, o->n), o->n); break;
    case GLUE: o->keep = true; break;
    case SPLIT: o->split_at = least(f->a, o->n), o->split_pause = f->b * MS; break;
    case CUT: o->cut_at = least(f->a, o->n); break;
    case DELAY: o->delay = f->a * MS; break;
    default: break;
    }
}

void fault_apply(enum frames frames, const struct request *r, struct out *o) {
    struct fault f;
    for (enum kind kind = FEWER; kind < KINDS; kind++)
        if (met(kind, r, o, &f)) apply(frames, r, o, &f);
}
