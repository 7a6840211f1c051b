/* free_port.h - where servers of tests listen. */
#ifndef TESTS_FREE_PORT_H
#define TESTS_FREE_PORT_H

/** A port of 127.0.0.1 that nobody has. */
int free_port(void);

#endif
