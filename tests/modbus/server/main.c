/* A Modbus server for tests.
 *
 *   modbus-server control=SOCKET [by=listen|dial|pty|cable] [frames=mbap|rtu] [units=1-50] [image=FILE] [record=FILE]
 *                 [ports=N] [to=PORT] [baud=N]
 *
 * `cable` is no server but two lines that are connected: what is written to one is read from the other.
 * The first word of a key counts; an empty `record=` is none, and then libmodbus writes to its clients itself, as fast as
 * it can. It prints a line `port N` for each port and `pty PATH` for its line, then `ready`. Orders come as lines on the control
 * socket, each answered with `ok` or `no`: `fault …` (fault.c), `well`, `set UNIT TABLE AT VALUE…`, `counts UNIT TABLE AT`,
 * `hang-up`. One thread; all that waits is in epoll. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REDIAL (50 * MS)

static int epoll, timer;
static struct conn *all;
static enum frames frames = MBAP;
static int dials_to, numbered;
static int64_t redial_at;

int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *why) {
    perror(why);
    exit(1);
}

/* ---- who is connected ---- */

static struct conn *conn_at(int fd, int events) {
    struct conn *c = calloc(1, sizeof *c);
    c->fd = fd, c->no = ++numbered, c->frames = frames;
    c->next = all;
    all = c;
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e)) die("epoll");
    return c;
}

static struct conn *conn_new(int fd) { return conn_at(fd, EPOLLIN); }

/* Closed at once, forgotten when nobody holds it any more. */
void conn_close(struct conn *c) {
    if (c->dead) return;
    c->dead = true;
    close(c->fd);
}

static void bury(void) {
    for (struct conn **place = &all; *place;) {
        struct conn *c = *place;
        if (!c->dead) {
            place = &c->next;
            continue;
        }
        line_forget(c);
        *place = c->next;
        free(c);
    }
}

static void client_new(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn_new(fd);
}

static void listen_tcp(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (void *)&at, length) || listen(fd, 64) || getsockname(fd, (void *)&at, &length)) die("listen");
    conn_new(fd)->listens = true;
    printf("port %d\n", ntohs(at.sin_port));
}

/* As a gateway that calls in: again and again, until somebody listens. */
static void dial(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(dials_to)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    redial_at = 0;
    if (!connect(fd, (void *)&to, sizeof to)) return client_new(fd);
    close(fd);
    redial_at = now_ns() + REDIAL;
}

/* The other end is left to the tests alone: who looks for holders of a port must not find us. While nobody has it open it
 * is hung up all the time, so we are told of changes only. */
static struct conn *open_pty(void) {
    int ours, tty;
    struct termios raw;
    char path[64];
    if (openpty(&ours, &tty, path, NULL, NULL) || tcgetattr(tty, &raw)) die("openpty");
    cfmakeraw(&raw);
    tcsetattr(tty, TCSANOW, &raw);
    close(tty);
    fcntl(ours, F_SETFL, O_NONBLOCK);
    struct conn *c = conn_at(ours, EPOLLIN | EPOLLET);
    c->frames = RTU, c->line = true;
    printf("pty %s\n", path);
    return c;
}

static void open_cable(void) {
    struct conn *a = open_pty(), *b = open_pty();
    a->other = b, b->other = a;
}

/* ---- orders ---- */

static void hang_up(void) {
    for (struct conn *c = all; c; c = c->next)
        if (!c->listens && !c->control && !c->line) conn_close(c);
}

static bool counts_line(char *rest) {
    const char *unit = strsep(&rest, " "), *table = strsep(&rest, " ");
    return rest && image_counts(atoi(unit), table_of(table), strtol(rest, NULL, 0));
}

static bool obey(char *line) {
    char *rest = line;
    const char *word = strsep(&rest, " ");
    if (!strcmp(word, "well")) return fault_none(), true;
    if (!strcmp(word, "hang-up")) return hang_up(), true;
    if (!rest) return false;
    if (!strcmp(word, "fault")) return fault_line(rest);
    if (!strcmp(word, "set")) return image_line(rest);
    if (!strcmp(word, "counts")) return counts_line(rest);
    return false;
}

static void orders(struct conn *c) {
    int n = read(c->fd, c->in + c->have, sizeof c->in - 1 - c->have);
    if (n <= 0) return conn_close(c);
    c->in[c->have += n] = 0;
    for (char *end; (end = memchr(c->in, '\n', c->have));) {
        *end = 0;
        const char *answer = obey((char *)c->in) ? "ok\n" : "no\n";
        if (write(c->fd, answer, 3) != 3) return conn_close(c);
        int used = end + 1 - (char *)c->in;
        memmove(c->in, end + 1, c->have -= used);
    }
}

static void listen_control(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4)) die(path);
    struct conn *c = conn_new(fd);
    c->listens = c->control = true;
}

/* ---- the loop ---- */

/* What libmodbus does not take in, for it knows no length of such a function, the head of the frame still counts. */
static int rest_of(struct conn *c, uint8_t *adu, int n) {
    int wanted = 6 + (adu[4] << 8 | adu[5]);
    while (n < wanted && wanted <= LONGEST_FRAME) {
        int more = recv(c->fd, adu + n, wanted - n, 0);
        if (more <= 0) return -1;
        n += more;
    }
    return n;
}

static void receive(struct conn *c) {
    static modbus_t *m;
    uint8_t adu[LONGEST_FRAME];
    if (!m) m = modbus_new_tcp("127.0.0.1", 1);
    modbus_set_socket(m, c->fd);
    int n = modbus_receive(m, adu);
    if (n > 0) n = rest_of(c, adu, n);
    if (n < 0 || (n > 0 && answer_serve(c, adu, n, now_ns()) < 0)) conn_close(c);
}

static void ready(struct conn *c) {
    uint8_t b[1024];
    if (c->listens) {
        int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) return;
        if (c->control)
            conn_new(fd)->control = true;
        else
            client_new(fd);
        return;
    }
    if (c->control) return orders(c);
    if (c->frames == MBAP) return receive(c);
    int n;
    do {
        n = read(c->fd, b, sizeof b);
        if (n > 0 && c->other)
            line_carry(c->other, b, n);
        else if (n > 0)
            line_heard(c, b, n, now_ns());
    } while (n > 0 && c->line && !c->dead);
    if (n <= 0 && !c->line) conn_close(c);
}

static void wake_at(int64_t when) {
    static int64_t armed;
    if (when == armed) return;
    armed = when;
    struct itimerspec at = {.it_value = {when / 1000000000, when % 1000000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static bool calls_again(void) {
    if (!dials_to) return false;
    for (struct conn *c = all; c; c = c->next)
        if (!c->control && !c->dead) return false;
    return true;
}

static void turn(void) {
    struct epoll_event happened[64];
    int64_t next = line_next(all);
    if (calls_again() && !redial_at) redial_at = now_ns() + REDIAL;
    wake_at(redial_at && (!next || redial_at < next) ? redial_at : next);
    int n = epoll_wait(epoll, happened, 64, -1);
    for (int i = 0; i < n; i++) {
        struct conn *c = happened[i].data.ptr;
        if (c && !c->dead) ready(c);
    }
    uint64_t times;
    if (read(timer, &times, sizeof times) > 0) wake_at(0);
    if (line_next(all)) line_run(all, now_ns());
    if (redial_at && redial_at <= now_ns()) dial();
    bury();
}

/* So that the log of a test tells why it is alone. */
static void killed(int by) {
    dprintf(2, "ended by signal %d\n", by);
    _exit(1);
}

static const char *word(int count, char **words, const char *key, const char *otherwise) {
    size_t length = strlen(key);
    for (int i = 1; i < count; i++)
        if (!strncmp(words[i], key, length) && words[i][length] == '=') return words[i] + length + 1;
    return otherwise;
}

static void open_images(int count, char **words) {
    const char *image = word(count, words, "image", NULL), *record = word(count, words, "record", NULL);
    if (!image_make(word(count, words, "units", ""))) die("units");
    if (image && !image_file(image)) die(image);
    if (record && *record && !record_open(record)) die(record);
}

static void open_line(int count, char **words) {
    const char *by = word(count, words, "by", "listen");
    if (!strcmp(word(count, words, "frames", "mbap"), "rtu")) frames = RTU;
    line_at(atoi(word(count, words, "baud", "0")));
    if (!strcmp(by, "pty")) return (void)open_pty();
    if (!strcmp(by, "cable")) return open_cable();
    if (!strcmp(by, "dial")) {
        dials_to = atoi(word(count, words, "to", "0"));
        return dial();
    }
    for (int i = atoi(word(count, words, "ports", "1")); i > 0; i--) listen_tcp();
}

int main(int count, char **words) {
    const char *control = word(count, words, "control", NULL);
    signal(SIGPIPE, SIG_IGN);
    for (const int *s = (int[]){SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGTERM, SIGHUP, 0}; *s; s++) signal(*s, killed);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event rings = {.events = EPOLLIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &rings)) die("timer");
    answer_open();
    open_images(count, words);
    if (control) listen_control(control);
    open_line(count, words);
    puts("ready");
    fflush(stdout);
    for (;;) turn();
}
