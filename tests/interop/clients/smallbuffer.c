/* For LD_PRELOAD: every connection gets a small send buffer, so that writes are taken in part, as on a slow path. */
#include <dlfcn.h>
#include <sys/socket.h>

#define SEND_BUFFER 8192

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
	int size = SEND_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return next(fd, to, len);
}
