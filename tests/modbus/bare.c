/* The bare loop in C: `bare PORT UNIT COUNT REGISTERS` asks so often, one request after the other on one connection, and
 * prints how long it took in seconds. No more than libmodbus itself does is checked. */
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int count, char **words) {
    uint16_t values[MODBUS_MAX_READ_REGISTERS];
    if (count < 5) return 2;
    int registers = atoi(words[4]);
    modbus_t *m = modbus_new_tcp("127.0.0.1", atoi(words[1]));
    modbus_set_slave(m, atoi(words[2]));
    if (modbus_connect(m)) return 1;
    double began = seconds();
    for (long left = atol(words[3]); left > 0; left--)
        if (modbus_read_registers(m, 0, registers, values) != registers) return 1;
    printf("%.6f\n", seconds() - began);
    return 0;
}
