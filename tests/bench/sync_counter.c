/* Count the calls that ask the disk to be sure, in memory shared with whoever measures.
 *
 * Preloaded into the server.  MAILBOX_BENCH_SYNCS names a file of at least 8 octets; each
 * fsync, fdatasync, syncfs, sync_file_range and msync(MS_SYNC) of the process adds one.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t *count;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("MAILBOX_BENCH_SYNCS");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *place;

    if (file < 0)
        return;
    place = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (place != MAP_FAILED)
        count = place;
}

static void *counted(const char *name)
{
    if (count)
        __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
    return dlsym(RTLD_NEXT, name);
}

int fsync(int file)
{
    return ((int (*)(int))counted("fsync"))(file);
}

int fdatasync(int file)
{
    return ((int (*)(int))counted("fdatasync"))(file);
}

int syncfs(int file)
{
    return ((int (*)(int))counted("syncfs"))(file);
}

int sync_file_range(int file, off64_t offset, off64_t octets, unsigned int flags)
{
    return ((int (*)(int, off64_t, off64_t, unsigned int))counted("sync_file_range"))(
        file, offset, octets, flags);
}

int msync(void *place, size_t octets, int flags)
{
    int (*real)(void *, size_t, int) =
        flags & MS_SYNC ? counted("msync") : dlsym(RTLD_NEXT, "msync");
    return real(place, octets, flags);
}
