/* systemd.h - what a service manager is told and what it hands over: sd_notify(3) and
 * sd_listen_fds(3), a few lines each. Harmless where there is no manager. */
#ifndef STUMPER_CLI_SYSTEMD_H
#define STUMPER_CLI_SYSTEMD_H

/** Tell the manager @state ("READY=1", "STOPPING=1"), if $NOTIFY_SOCKET names one. */
void systemd_notify(const char *state);

/** The one listening socket that was inherited (close-on-exec from now on), or -1: none was. */
int systemd_listen_fd(void);

#endif
