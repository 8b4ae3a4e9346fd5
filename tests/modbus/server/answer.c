/* A request to its answer. libmodbus makes it, into one end of a pair of sockets; we take the bytes out of the other, so
 * that faults and the beat of a line can be laid over them. Where neither is asked for it writes to the client itself.
 * Only identification (43/14) is made here. */
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LONGEST_PDU 253
#define BREATH (2 * MS) /* of a unit between an answer that was late and the next */

static modbus_t *by[2]; /* by the kind of frames */
static int pair[2];

void answer_open(void) {
    by[MBAP] = modbus_new_tcp("127.0.0.1", 1);
    by[RTU] = modbus_new_rtu("/dev/null", 9600, 'N', 8, 1);
    if (!by[MBAP] || !by[RTU] || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)) exit(1);
    /* After a request that it does not know libmodbus sleeps for as long as an answer may take. */
    for (int i = 0; i < 2; i++) modbus_set_response_timeout(by[i], 0, 1);
}

static int table_asked(int function) {
    switch (function) {
    case 1: case 5: case 15: return COIL;
    case 2: return DISCRETE;
    case 4: return INPUT;
    case 3: case 6: case 16: case 22: case 23: return HOLDING;
    default: return -1;
    }
}

bool request_parse(enum frames frames, const uint8_t *adu, int n, struct request *r) {
    int head = frames == MBAP ? 7 : 1, tail = frames == MBAP ? 0 : 2;
    memset(r, 0, sizeof *r);
    if (n < head + 1 + tail) return false;
    r->adu = adu, r->n = n;
    r->unit = adu[head - 1];
    r->pdu = adu + head, r->pdu_n = n - head - tail;
    r->function = r->pdu[0];
    r->table = table_asked(r->function);
    if (r->table < 0) return true;
    if (r->pdu_n < 5) return false;
    r->address = r->pdu[1] << 8 | r->pdu[2];
    bool one = r->function == 5 || r->function == 6 || r->function == 22;
    r->count = one ? 1 : r->pdu[3] << 8 | r->pdu[4];
    return true;
}

/* Too many or none at all is for libmodbus to refuse. */
static bool reaches_beyond(const struct request *r, const struct unit *u) {
    int most = r->table == COIL || r->table == DISCRETE ? MODBUS_MAX_READ_BITS : MODBUS_MAX_READ_REGISTERS;
    if (r->table < 0 || r->count < 1 || r->count > most) return false;
    return !image_has(u, r->table, r->address, r->count);
}

static int conformity(const struct unit *u) {
    int level = 0x81;
    for (const struct object *o = u->objects; o; o = o->next) level = o->id >= 0x80 ? 0x83 : o->id > 2 ? 0x82 : level;
    return level;
}

static bool belongs(const struct object *o, int level, int from) {
    if (level == 4) return o->id == from;
    return o->id >= from && o->id <= (level == 1 ? 2 : level == 2 ? 0x7f : 0xff);
}

/* The objects that fit into one answer, and which is the next. Returns the length of the PDU, 0 where it is refused. */
static int identity(const struct unit *u, const struct request *r, uint8_t *p) {
    int level = r->pdu[2], from = r->pdu[3], n = 7;
    const struct object *first = u->objects;
    while (first && !belongs(first, level, from)) first = first->next;
    if (!first && level != 4) first = u->objects; /* an unknown object: from the beginning, says the standard */
    if (!first || level < 1 || level > 4) return 0;
    memcpy(p, (uint8_t[]){43, 14, level, conformity(u), 0, 0, 0}, 7);
    for (const struct object *o = first; o && (level == 4 ? o == first : belongs(o, level, 0)); o = o->next) {
        int length = strlen(o->text);
        if (n + 2 + length > LONGEST_PDU) {
            p[4] = 0xff, p[5] = o->id;
            break;
        }
        p[n] = o->id, p[n + 1] = length, p[6]++;
        memcpy(p + n + 2, o->text, length);
        n += 2 + length;
    }
    return n;
}

static void take(struct out *o) { o->n = recv(pair[1], o->b, sizeof o->b, MSG_DONTWAIT); }

/* What it knows and does not serve it leaves without an answer; a device says so. */
static int reply(modbus_t *m, const struct request *r, struct unit *u) {
    int n = modbus_reply(m, r->adu, r->n, &u->map);
    return n < 0 ? modbus_reply_exception(m, r->adu, MODBUS_EXCEPTION_ILLEGAL_FUNCTION) : n;
}

static void make(enum frames frames, const struct request *r, struct unit *u, int exception, struct out *o) {
    modbus_t *m = by[frames];
    modbus_set_socket(m, pair[0]);
    if (!exception && r->function == 43 && r->pdu_n >= 4 && r->pdu[1] == 14 && u->objects) {
        int head = frames == MBAP ? 7 : 1, length = identity(u, r, o->b + head);
        if (length) {
            memcpy(o->b, r->adu, head);
            o->n = head + length + (frames == RTU ? 2 : 0);
            seal(frames, o->b, &o->n);
            return;
        }
        exception = 2;
    }
    if (exception)
        modbus_reply_exception(m, r->adu, exception);
    else
        reply(m, r, u);
    take(o);
}

/* To all at once; nobody answers. */
static void broadcast(const struct conn *c, const struct request *r) {
    modbus_set_socket(by[RTU], pair[0]);
    for (int no = 1; no < UNITS; no++) {
        struct unit *u = image_unit(no);
        struct out none;
        if (!u || reaches_beyond(r, u)) continue;
        modbus_reply(by[RTU], r->adu, r->n, &u->map);
        take(&none);
    }
    record_request(c, r, "nothing", "");
}

static void told(const struct conn *c, const struct request *r, const struct out *truth, const struct out *o) {
    int function = truth->b[c->frames == MBAP ? 7 : 1];
    char said[24] = "answer";
    if (truth->n <= 0)
        snprintf(said, sizeof said, "nothing");
    else if (function & 0x80)
        snprintf(said, sizeof said, "exception %d", truth->b[c->frames == MBAP ? 8 : 2]);
    record_request(c, r, said, o->faults);
}

static int worked_on(struct conn *c, const struct request *r, struct unit *u, int64_t start) {
    struct out o = {.split_at = -1, .cut_at = -1}, truth;
    if (fault_mutes(r, &o)) {
        record_request(c, r, "nothing", o.faults);
        return 0;
    }
    int exception = fault_exception(r, &o);
    if (!exception && reaches_beyond(r, u)) exception = MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS;
    if (!exception) image_tick(r);
    make(c->frames, r, u, exception, &o);
    if (o.n <= 0) return -1;
    truth = o;
    if (fault_stale(r, &o) && c->last_n) memcpy(o.b, c->last, o.n = c->last_n);
    memcpy(c->last, truth.b, c->last_n = truth.n);
    fault_apply(c->frames, r, &o);
    told(c, r, &truth, &o);
    int64_t end = line_say(c, &o, start > u->busy_until ? start : u->busy_until);
    if (o.delay) u->busy_until = end + 2 * silence_ns + BREATH;
    return 0;
}

/* Negative where the connection is of no more use. */
int answer_serve(struct conn *c, const uint8_t *adu, int n, int64_t start) {
    struct request r;
    if (!request_parse(c->frames, adu, n, &r)) return -1;
    if (r.unit == 0 && c->frames == RTU) return broadcast(c, &r), 0;
    struct unit *u = image_unit(r.unit);
    if (!u) return record_request(c, &r, "nothing", ""), 0;
    bool plain = c->frames == MBAP && !record_kept() && !fault_any() && r.function != 43;
    if (!plain || reaches_beyond(&r, u)) return worked_on(c, &r, u, start);
    image_tick(&r);
    modbus_set_socket(by[MBAP], c->fd);
    return reply(by[MBAP], &r, u) < 0 ? -1 : 0;
}
