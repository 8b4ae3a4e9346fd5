/* The units and what their registers hold.
 *
 * A unit made by its number alone has the addresses 0 to 999 of each table. Holding registers say where they are,
 * unit * 256 + address; input registers are the opposite; coils follow the parity of unit + address, which has no
 * period; discrete inputs are the opposite. So a value at a wrong place is a wrong value. */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#define MADE 1000
#define MOST_COUNTERS 256

static struct unit *units[UNITS];
static struct { int unit, table, at; } counters[MOST_COUNTERS];
static int counter_n;

int table_of(const char *word) {
    static const char *words[TABLES] = {"coil", "discrete", "input", "holding"};
    for (int t = 0; t < TABLES; t++)
        if (word && !strcmp(word, words[t])) return t;
    return -1;
}

struct unit *image_unit(int no) { return no >= 0 && no < UNITS ? units[no] : NULL; }

/* From calloc, so a table costs only the pages that are written. */
static struct unit *unit_new(int no) {
    if (no < 0 || no >= UNITS) return NULL;
    if (units[no]) return units[no];
    struct unit *u = calloc(1, sizeof *u);
    modbus_mapping_t *m = &u->map;
    m->nb_bits = m->nb_input_bits = m->nb_input_registers = m->nb_registers = 65536;
    m->tab_bits = calloc(65536, 1);
    m->tab_input_bits = calloc(65536, 1);
    m->tab_input_registers = calloc(65536, 2);
    m->tab_registers = calloc(65536, 2);
    return units[no] = u;
}

static void put(struct unit *u, int table, int at, int value) {
    u->known[table][at / 8] |= 1 << at % 8;
    switch (table) {
    case COIL: u->map.tab_bits[at] = value != 0; break;
    case DISCRETE: u->map.tab_input_bits[at] = value != 0; break;
    case INPUT: u->map.tab_input_registers[at] = value; break;
    case HOLDING: u->map.tab_registers[at] = value; break;
    }
}

int image_value(const struct unit *u, int table, int at) {
    switch (table) {
    case COIL: return u->map.tab_bits[at];
    case DISCRETE: return u->map.tab_input_bits[at];
    case INPUT: return u->map.tab_input_registers[at];
    default: return u->map.tab_registers[at];
    }
}

bool image_has(const struct unit *u, int table, int address, int count) {
    if (address + count > 65536) return false;
    for (int at = address; at < address + count; at++)
        if (!(u->known[table][at / 8] >> at % 8 & 1)) return false;
    return true;
}

static void fill(int no) {
    struct unit *u = unit_new(no);
    for (int at = 0; u && at < MADE; at++) {
        int parity = __builtin_parity(no + at), where = (no * 256 + at) & 0xffff;
        put(u, COIL, at, parity);
        put(u, DISCRETE, at, !parity);
        put(u, HOLDING, at, where);
        put(u, INPUT, at, where ^ 0xffff);
    }
}

/* "1-50,60" */
bool image_make(const char *text) {
    while (*text) {
        char *end;
        long first = strtol(text, &end, 10), last = first;
        if (end == text) return false;
        if (*end == '-') last = strtol(end + 1, &end, 10);
        if (first < 0 || last >= UNITS || first > last) return false;
        for (long no = first; no <= last; no++) fill(no);
        if (*end && *end != ',') return false;
        text = *end ? end + 1 : end;
    }
    return true;
}

static bool identity_line(struct unit *u, char *rest) {
    char *text = rest;
    long id = strtol(rest ? rest : "", &text, 0);
    if (!rest || text == rest || id < 0 || id > 255) return false;
    text += strspn(text, " ");
    struct object **place = &u->objects;
    while (*place && (*place)->id < id) place = &(*place)->next;
    if (!*place || (*place)->id != id) {
        struct object *o = calloc(1, sizeof *o);
        o->id = id;
        o->next = *place;
        *place = o;
    }
    snprintf((*place)->text, sizeof (*place)->text, "%s", text);
    return true;
}

/* "UNIT TABLE ADDRESS VALUE…" or "UNIT identity OBJECT TEXT" */
bool image_line(char *line) {
    char *rest = line;
    line[strcspn(line, "\r\n")] = 0;
    const char *unit = strsep(&rest, " "), *word = strsep(&rest, " ");
    struct unit *u = unit_new(atoi(unit));
    if (!u || !word) return false;
    if (!strcmp(word, "identity")) return identity_line(u, rest);
    int table = table_of(word);
    const char *where = strsep(&rest, " ");
    if (table < 0 || !where) return false;
    int at = strtol(where, NULL, 0);
    for (char *value; (value = strsep(&rest, " "));) {
        if (!*value) continue;
        if (at < 0 || at > 65535) return false;
        put(u, table, at++, strtol(value, NULL, 0));
    }
    return true;
}

bool image_file(const char *path) {
    FILE *file = fopen(path, "r");
    char line[8192];
    bool good = file != NULL;
    while (good && fgets(line, sizeof line, file))
        if (*line != '#' && *line != '\n') good = image_line(line);
    if (file) fclose(file);
    return good;
}

/* From now on this register rises with each request that reads it. */
bool image_counts(int unit, int table, int at) {
    if (counter_n == MOST_COUNTERS || table < 0 || at < 0 || at > 65535 || !image_unit(unit)) return false;
    counters[counter_n].unit = unit;
    counters[counter_n].table = table;
    counters[counter_n++].at = at;
    return true;
}

void image_tick(const struct request *r) {
    for (int i = 0; i < counter_n; i++) {
        int at = counters[i].at, table = counters[i].table;
        if (counters[i].unit != r->unit || table != r->table || r->function > 4) continue;
        if (at < r->address || at >= r->address + r->count) continue;
        struct unit *u = image_unit(r->unit);
        put(u, table, at, image_value(u, table, at) + 1);
    }
}
