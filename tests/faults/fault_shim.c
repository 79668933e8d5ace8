/*
 * A preload library that counts the calls which reach the disk or a peer, and at one of
 * them kills the process, or makes the call fail.
 *
 * It is ruled through a shared page, a file that FAULT_SHIM_PAGE names (struct page below,
 * shim.py has the other side).  A forked child inherits the page, so that it can be armed
 * after the fork.  Without the variable, or while nobody is armed, every call goes through.
 *
 * Counted are regular files, directories and internet sockets only: a pipe, an eventfd or a
 * local socket between two threads never fails on a real machine.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define TRACED 32768
#define PATH_OCTETS 512

enum call {
	WRITE = 1,
	WRITEV,
	PWRITE,
	PWRITEV,
	SEND,
	SENDTO,
	SENDMSG,
	FSYNC,
	FDATASYNC,
	FALLOCATE,
	RENAME,
	UNLINK,
	FTRUNCATE,
};

enum fault { NONE, KILL, FAIL_EIO, FAIL_ENOSPC, TEAR };

struct page {
	_Atomic int64_t process; /* whose calls count: a pid, -1 everybody's, 0 nobody's */
	int64_t at;              /* the call that is hit, from 1; 0 none */
	int64_t fault;
	int64_t only;            /* bit n: enum call n counts; 0: all do */
	_Atomic int64_t count;
	_Atomic int64_t hit;      /* enum call of the one that was hit */
	_Atomic int64_t resynced; /* syncs of a file after one of them failed */
	int64_t device, inode;    /* of the file whose sync failed */
	char path[PATH_OCTETS];   /* of the file that was hit, if it is one */
	uint8_t trace[TRACED];    /* enum call of call n at [n] */
};

static struct page *page;

__attribute__((constructor)) static void begin(void)
{
	const char *name = getenv("FAULT_SHIM_PAGE");
	int descriptor = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
	if (descriptor < 0)
		return;
	void *mapped = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	close(descriptor);
	if (mapped != MAP_FAILED)
		page = mapped;
}

static int is_armed(void)
{
	int64_t process = page ? page->process : 0;
	return process == -1 || (process && process == getpid());
}

static int reaches_out(int descriptor)
{
	struct stat found;
	int saved = errno, domain = 0, answer = 0;
	socklen_t size = sizeof domain;
	if (fstat(descriptor, &found) == 0) {
		answer = S_ISREG(found.st_mode) || S_ISDIR(found.st_mode);
		if (S_ISSOCK(found.st_mode) &&
		    getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0)
			answer = domain == AF_INET || domain == AF_INET6;
	}
	errno = saved;
	return answer;
}

static void note_path(int descriptor, const char *path)
{
	char link[64];
	memset(page->path, 0, sizeof page->path);
	if (path) {
		strncpy(page->path, path, sizeof page->path - 1);
		return;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
	if (readlink(link, page->path, sizeof page->path - 1) < 0)
		page->path[0] = 0;
}

static void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Count one call; what must befall it. */
static enum fault befalls(enum call call, int descriptor, const char *path)
{
	struct stat file;
	if (!is_armed() || (descriptor >= 0 && !reaches_out(descriptor)))
		return NONE;
	int is_sync = call == FSYNC || call == FDATASYNC;
	if (is_sync && page->inode && fstat(descriptor, &file) == 0 &&
	    (int64_t)file.st_dev == page->device && (int64_t)file.st_ino == page->inode)
		page->resynced++;
	if (page->only && !(page->only & (int64_t)1 << call))
		return NONE;
	int64_t number = atomic_fetch_add(&page->count, 1) + 1;
	if (number < TRACED)
		page->trace[number] = call;
	if (number != page->at || page->fault == NONE)
		return NONE;
	note_path(descriptor, path);
	page->hit = call;
	if (page->fault == KILL)
		die();
	/* It stays open, or a file made after it was removed might be given its inode. */
	if (is_sync && fcntl(descriptor, F_DUPFD_CLOEXEC, 0) >= 0 && fstat(descriptor, &file) == 0) {
		page->device = file.st_dev;
		page->inode = file.st_ino;
	}
	return page->fault;
}

static int number_of(enum fault fault)
{
	return fault == FAIL_ENOSPC ? ENOSPC : EIO;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Calls that return -1 and set errno; a torn one that is not a single buffer just dies. */
#define GUARD(call, descriptor, path)                                                          \
	do {                                                                                   \
		enum fault fault = befalls(call, descriptor, path);                            \
		if (fault == TEAR)                                                             \
			die();                                                                 \
		if (fault != NONE) {                                                           \
			errno = number_of(fault);                                              \
			return -1;                                                             \
		}                                                                              \
	} while (0)

#define TEARABLE(call, descriptor, half)                                                       \
	do {                                                                                   \
		enum fault fault = befalls(call, descriptor, NULL);                            \
		if (fault == TEAR) {                                                           \
			(void)!(half);                                                         \
			die();                                                                 \
		}                                                                              \
		if (fault != NONE) {                                                           \
			errno = number_of(fault);                                              \
			return -1;                                                             \
		}                                                                              \
	} while (0)

ssize_t write(int fd, const void *octets, size_t count)
{
	REAL(write);
	TEARABLE(WRITE, fd, real(fd, octets, count / 2));
	return real(fd, octets, count);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	REAL(writev);
	TEARABLE(WRITEV, fd, real(fd, pieces, count / 2));
	return real(fd, pieces, count);
}

ssize_t pwrite(int fd, const void *octets, size_t count, off_t offset)
{
	REAL(pwrite);
	TEARABLE(PWRITE, fd, real(fd, octets, count / 2, offset));
	return real(fd, octets, count, offset);
}

ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t offset)
{
	REAL(pwrite64);
	TEARABLE(PWRITE, fd, real(fd, octets, count / 2, offset));
	return real(fd, octets, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
	REAL(pwritev);
	TEARABLE(PWRITEV, fd, real(fd, pieces, count / 2, offset));
	return real(fd, pieces, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset)
{
	REAL(pwritev64);
	TEARABLE(PWRITEV, fd, real(fd, pieces, count / 2, offset));
	return real(fd, pieces, count, offset);
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
	REAL(pwritev2);
	TEARABLE(PWRITEV, fd, real(fd, pieces, count / 2, offset, flags));
	return real(fd, pieces, count, offset, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags)
{
	REAL(pwritev64v2);
	TEARABLE(PWRITEV, fd, real(fd, pieces, count / 2, offset, flags));
	return real(fd, pieces, count, offset, flags);
}

ssize_t send(int fd, const void *octets, size_t count, int flags)
{
	REAL(send);
	TEARABLE(SEND, fd, real(fd, octets, count / 2, flags));
	return real(fd, octets, count, flags);
}

ssize_t sendto(int fd, const void *octets, size_t count, int flags, const struct sockaddr *to,
	       socklen_t size)
{
	REAL(sendto);
	TEARABLE(SENDTO, fd, real(fd, octets, count / 2, flags, to, size));
	return real(fd, octets, count, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	REAL(sendmsg);
	GUARD(SENDMSG, fd, NULL);
	return real(fd, message, flags);
}

int fsync(int fd)
{
	REAL(fsync);
	GUARD(FSYNC, fd, NULL);
	return real(fd);
}

int fdatasync(int fd)
{
	REAL(fdatasync);
	GUARD(FDATASYNC, fd, NULL);
	return real(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
	REAL(fallocate);
	GUARD(FALLOCATE, fd, NULL);
	return real(fd, mode, offset, size);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
	REAL(fallocate64);
	GUARD(FALLOCATE, fd, NULL);
	return real(fd, mode, offset, size);
}

/* These two return the error instead of setting errno. */
int posix_fallocate(int fd, off_t offset, off_t size)
{
	REAL(posix_fallocate);
	enum fault fault = befalls(FALLOCATE, fd, NULL);
	if (fault == TEAR)
		die();
	return fault == NONE ? real(fd, offset, size) : number_of(fault);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
	REAL(posix_fallocate64);
	enum fault fault = befalls(FALLOCATE, fd, NULL);
	if (fault == TEAR)
		die();
	return fault == NONE ? real(fd, offset, size) : number_of(fault);
}

int rename(const char *from, const char *to)
{
	REAL(rename);
	GUARD(RENAME, -1, from);
	return real(from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	REAL(renameat);
	GUARD(RENAME, -1, from);
	return real(from_fd, from, to_fd, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	REAL(renameat2);
	GUARD(RENAME, -1, from);
	return real(from_fd, from, to_fd, to, flags);
}

int unlink(const char *path)
{
	REAL(unlink);
	GUARD(UNLINK, -1, path);
	return real(path);
}

int unlinkat(int fd, const char *path, int flags)
{
	REAL(unlinkat);
	GUARD(UNLINK, -1, path);
	return real(fd, path, flags);
}

int ftruncate(int fd, off_t size)
{
	REAL(ftruncate);
	GUARD(FTRUNCATE, fd, NULL);
	return real(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
	REAL(ftruncate64);
	GUARD(FTRUNCATE, fd, NULL);
	return real(fd, size);
}
