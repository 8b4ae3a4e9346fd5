/* The witness: a line of JSON for each request and for each frame that was refused, on disk before the answer goes out.
 *
 * `values` is the truth: what the image held when a read was answered, whatever a fault then made of the answer, and
 * what a write brought. `said` is "answer", "exception N" or "nothing". */
#include "server.h"

static FILE *file;

bool record_open(const char *path) {
    file = fopen(path, "a");
    return file != NULL;
}

bool record_kept(void) { return file != NULL; }

static int word_at(const uint8_t *b, int at) { return b[at] << 8 | b[at + 1]; }

static void values_of(const struct request *r) {
    const struct unit *u = image_unit(r->unit);
    const uint8_t *p = r->pdu;
    for (int i = 0; i < r->count; i++) {
        int value;
        if (r->function <= 4 || r->function == 22 || r->function == 23) {
            if (!u || !image_has(u, r->table, r->address + i, 1)) break;
            value = image_value(u, r->table, r->address + i);
        } else if (r->function == 5)
            value = word_at(p, 3) != 0;
        else if (r->function == 6)
            value = word_at(p, 3);
        else if (r->function == 15) {
            if (6 + i / 8 >= r->pdu_n) break;
            value = p[6 + i / 8] >> i % 8 & 1;
        } else {
            if (7 + 2 * i >= r->pdu_n) break;
            value = word_at(p, 6 + 2 * i);
        }
        fprintf(file, "%s%d", i ? "," : "", value);
    }
}

static void line_begin(const struct conn *c) {
    fprintf(file, "{\"at\":%lld,\"conn\":%d", (long long)(now_ns() / 1000), c->no);
}

void record_request(const struct conn *c, const struct request *r, const char *said, const char *faults) {
    if (!file) return;
    line_begin(c);
    fprintf(file, ",\"unit\":%d,\"function\":%d,\"address\":%d,\"count\":%d,\"values\":[", r->unit, r->function,
            r->address, r->count);
    if (r->table >= 0) values_of(r);
    fprintf(file, "],\"said\":\"%s\",\"faults\":[%s]}\n", said, faults);
    fflush(file);
}

void record_refused(const struct conn *c, const char *why) {
    if (!file) return;
    line_begin(c);
    fprintf(file, ",\"refused\":\"%s\",\"silence\":%lld,\"bytes\":\"", why, (long long)(c->silence / 1000));
    for (int i = 0; i < c->have; i++) fprintf(file, "%02x", c->in[i]);
    fprintf(file, "\"}\n");
    fflush(file);
}
