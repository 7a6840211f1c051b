/* address.h - which addresses belong to everybody. */
#ifndef STUMPER_IO_ADDRESS_H
#define STUMPER_IO_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/** True for a unicast address that anybody on the Internet may have: not this host, its networks or
 * its link, not a shared, reserved or documentation range (IANA's special-purpose registries), also
 * not through an IPv6 address that stands for such an IPv4 one. @n: bytes of @a. */
bool address_is_public(const struct sockaddr *a, socklen_t n);

#endif
