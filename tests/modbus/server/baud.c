/* The baud that somebody has set on the line, whatever number it is: asked of our end, the kernel tells of theirs. Apart,
 * for the two headers of it do not agree. */
#include <asm/termbits.h>
#include <sys/ioctl.h>

int line_baud(int pty);

int line_baud(int pty) {
    struct termios2 how;
    return ioctl(pty, TCGETS2, &how) ? -1 : (int)how.c_ospeed;
}
