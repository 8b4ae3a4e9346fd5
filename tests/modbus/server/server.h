/* The Modbus server of the tests: what its parts know of each other.
 *
 * main.c    arguments, the loop, who is connected, the control socket
 * line.c    bytes to frames and frames to bytes, on the beat of a serial line where it is one
 * answer.c  a request to its answer, by libmodbus
 * image.c   the units and what their registers hold
 * fault.c   what goes wrong with an answer
 * record.c  the witness: what was asked and what the truth was
 *
 * libmodbus reads each request on TCP and makes each answer, on TCP and on RTU, so both are of another hand than the
 * gateway's. Made by hand, because libmodbus has none of it: gathering frames of RTU for many units, the beat and the
 * silence of a serial line, identification (43/14), and all faults. */
#ifndef SERVER_H
#define SERVER_H

#include <modbus.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define UNITS 256
#define LONGEST_FRAME 260
#define LONGEST_OUT 2048
#define MS 1000000LL /* all times are nanoseconds of the clock that never steps */

enum frames { MBAP, RTU };
enum table { COIL, DISCRETE, INPUT, HOLDING, TABLES };

struct object {
    int id;
    char text[246];
    struct object *next;
};

struct unit {
    modbus_mapping_t map;
    uint8_t known[TABLES][8192]; /* a bit for each address: the others do not exist */
    struct object *objects;      /* in the order of their ids */
    int64_t busy_until;          /* with an answer that is late: it does one after the other */
};

/* Somebody who is connected, or the serial line. */
struct conn {
    int fd, no;
    enum frames frames;
    bool dead, listens, control, line;
    uint8_t in[LONGEST_OUT];
    int have;
    bool early;                        /* the frame began before the line had been silent long enough */
    int64_t frame_end;                 /* when the gathered bytes have all passed on the wire */
    int64_t ends_at;                   /* when silence ends the frame; 0: none is under way */
    int64_t quiet_since, silence;      /* the last byte on the wire; before this frame, how long that was ago */
    uint8_t last[LONGEST_FRAME], kept[LONGEST_OUT]; /* the answer before this one; an answer that waits for the next */
    int last_n, kept_n;
    struct conn *other; /* the other end of a cable */
    struct conn *next;
};

/* A request, taken apart. */
struct request {
    const uint8_t *adu;
    int n;
    const uint8_t *pdu; /* from the function on */
    int pdu_n;
    int unit, function, address, count; /* of what has no address both are 0 */
    int table;                          /* -1 of what has none */
};

/* What is about to be sent. */
struct out {
    uint8_t b[LONGEST_OUT];
    int n;
    int64_t delay, split_pause;
    int split_at, cut_at; /* -1: no */
    bool keep;            /* not now, in front of the next one */
    bool nothing;
    char faults[256]; /* their names, as JSON */
};

/* line.c */
extern int64_t char_ns, silence_ns; /* 0: as fast as the machine */
void line_at(int baud);
int line_baud(int pty);
void line_heard(struct conn *c, const uint8_t *b, int n, int64_t now);
int64_t line_say(struct conn *c, struct out *o, int64_t start);
void line_carry(struct conn *c, const uint8_t *b, int n);
int64_t line_next(struct conn *all);
void line_run(struct conn *all, int64_t now);
void line_forget(struct conn *c);
uint16_t crc_of(const uint8_t *b, int n);
void seal(enum frames frames, uint8_t *adu, int *n);

/* answer.c */
void answer_open(void);
bool request_parse(enum frames frames, const uint8_t *adu, int n, struct request *r);
int answer_serve(struct conn *c, const uint8_t *adu, int n, int64_t start);

/* image.c */
struct unit *image_unit(int no);
bool image_make(const char *units);
bool image_line(char *line);
bool image_file(const char *path);
bool image_counts(int unit, int table, int at);
void image_tick(const struct request *r);
bool image_has(const struct unit *u, int table, int address, int count);
int image_value(const struct unit *u, int table, int address);
int table_of(const char *word);

/* fault.c */
bool fault_line(char *line);
void fault_none(void);
bool fault_any(void);
int fault_exception(const struct request *r, struct out *o);
bool fault_mutes(const struct request *r, struct out *o);
bool fault_stale(const struct request *r, struct out *o);
void fault_apply(enum frames frames, const struct request *r, struct out *o);

/* record.c */
bool record_open(const char *path);
bool record_kept(void);
void record_request(const struct conn *c, const struct request *r, const char *said, const char *faults);
void record_refused(const struct conn *c, const char *why);

/* main.c */
int64_t now_ns(void);
void conn_close(struct conn *c);

#endif
