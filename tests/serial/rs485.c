/* Loaded before the C library: writes down each order to switch RS-485, in the words of the kernel's own header, and answers
   as a driver that can. With RS485_SLOWEST it is one that holds RTS for no longer than so many milliseconds. */
#define _GNU_SOURCE
#include <linux/serial.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *what = va_arg(rest, void *);
  va_end(rest);
  const char *record = getenv("RS485_RECORD"), *slowest = getenv("RS485_SLOWEST");
  if (request != TIOCSRS485 || !record) return (int)syscall(SYS_ioctl, fd, request, what);
  struct serial_rs485 *order = what;
  char tty[64] = "";
  ttyname_r(fd, tty, sizeof tty);
  FILE *out = fopen(record, "a");
  fprintf(out, "%s enabled=%d on_send=%d after_send=%d both=%d other=%#x before=%u after=%u\n", tty,
          !!(order->flags & SER_RS485_ENABLED), !!(order->flags & SER_RS485_RTS_ON_SEND),
          !!(order->flags & SER_RS485_RTS_AFTER_SEND), !!(order->flags & SER_RS485_RX_DURING_TX),
          order->flags & ~(SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND | SER_RS485_RTS_AFTER_SEND | SER_RS485_RX_DURING_TX),
          order->delay_rts_before_send, order->delay_rts_after_send);
  fclose(out);
  unsigned most = slowest ? (unsigned)atoi(slowest) : ~0u;
  if (order->delay_rts_after_send > most) order->delay_rts_after_send = most;
  return 0;
}
