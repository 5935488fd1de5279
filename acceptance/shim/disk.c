// A disk that the stories can hold, fill and cut the power of. Preloaded into the server (LD_PRELOAD), it stands between
// the program and the C library for files whose path begins with DISK_SHIM_FILES, and does what files in the folder
// DISK_SHIM_CONTROL say:
//
//   hold    while it exists, a sync waits before it reaches the disk; "holding" exists while one waits
//   full    while it exists, writes fail with ENOSPC
//   fail    while it exists, syncs fail with EIO and reach no disk
//   image   while it exists, each sync that has succeeded copies its file to <control>/synced-<name>: what a power cut
//           at that moment would leave
//   syncs   is written by the shim: a line for each sync that succeeded
//
// Only what SQLite calls to write its files and to make them durable is wrapped: fsync, fdatasync, write, pwrite, pwrite64,
// fallocate and posix_fallocate.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static const char *control(const char *name, char *into) {
    const char *folder = getenv("DISK_SHIM_CONTROL");
    if (!folder) return NULL;
    snprintf(into, PATH_MAX, "%.3000s/%.200s", folder, name);
    return into;
}

static int said(const char *name) {
    char path[PATH_MAX];
    return control(name, path) && access(path, F_OK) == 0;
}

// The path behind a descriptor, where it is one of the database's files; the shared-memory index is none: it is not durable.
static int ours(int fd, char *path) {
    const char *files = getenv("DISK_SHIM_FILES");
    if (!files) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = '\0';
    size_t tail = strlen(path);
    if (tail > 4 && strcmp(path + tail - 4, "-shm") == 0) return 0;
    return strncmp(path, files, strlen(files)) == 0;
}

static void copy(const char *from, const char *to) {
    static __typeof__(write) *real_write;
    if (!real_write) real_write = (__typeof__(write) *)dlsym(RTLD_NEXT, "write");
    char part[PATH_MAX + 8];
    snprintf(part, sizeof part, "%s.part", to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    static __thread char buffer[1 << 16];
    ssize_t got;
    while (in >= 0 && out >= 0 && (got = read(in, buffer, sizeof buffer)) > 0) {
        if (real_write(out, buffer, (size_t)got) != got) break;
    }
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    rename(part, to);
}

static int sync_with(int (*real)(int), int fd) {
    char path[PATH_MAX], note[PATH_MAX];
    if (!ours(fd, path)) return real(fd);
    if (said("hold")) {
        control("holding", note);
        int mark = open(note, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (mark >= 0) close(mark);
        while (said("hold")) usleep(2000);
        unlink(note);
    }
    if (said("fail")) {
        errno = EIO;
        return -1;
    }
    int result = real(fd);
    if (result != 0) return result;
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one);
    const char *name = strrchr(path, '/') + 1;
    if (said("image")) {
        char image[PATH_MAX], to[PATH_MAX];
        snprintf(image, sizeof image, "synced-%.190s", name);
        if (control(image, to)) copy(path, to);
    }
    if (control("syncs", note)) {
        FILE *log = fopen(note, "ae");
        if (log) {
            fprintf(log, "%s\n", name);
            fclose(log);
        }
    }
    pthread_mutex_unlock(&one);
    return result;
}

int fsync(int fd) {
    REAL(fsync);
    return sync_with(real, fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return sync_with(real, fd);
}

static int full(int fd) {
    char path[PATH_MAX];
    return said("full") && ours(fd, path);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    if (full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(pwrite);
    if (full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(pwrite64);
    if (full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, bytes, count, at);
}

int fallocate(int fd, int mode, off_t at, off_t count) {
    REAL(fallocate);
    if (full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, mode, at, count);
}

int posix_fallocate(int fd, off_t at, off_t count) {
    REAL(posix_fallocate);
    if (full(fd)) return ENOSPC;
    return real(fd, at, count);
}
