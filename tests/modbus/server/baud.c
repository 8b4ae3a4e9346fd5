/* The baud that somebody has set on the line, whatever number it is. Apart, for the two headers of it do not agree. */
#include <asm/termbits.h>
#include <sys/ioctl.h>

int line_baud(int tty);

int line_baud(int tty) {
    struct termios2 how;
    return ioctl(tty, TCGETS2, &how) ? -1 : (int)how.c_ospeed;
}
