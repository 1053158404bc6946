/* storm FORKS SECONDS: fork so many children, evenly over so many seconds; each exits at once.
 * Prints its pid, the forks made, the exits reaped and the seconds taken. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  long forks = atol(argv[1]), made = 0, reaped = 0;
  double seconds = atof(argv[2]), begun = now();
  while (made < forks) {
    double ahead = begun + seconds * made / forks - now();
    if (ahead > 0.001) usleep(ahead * 1e6);
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    if (pid < 0) {
      perror("fork");
      break;
    }
    made++;
    while (waitpid(-1, NULL, WNOHANG) > 0) reaped++;
  }
  while (waitpid(-1, NULL, 0) > 0) reaped++;
  printf("%d %ld %ld %.3f\n", getpid(), made, reaped, now() - begun);
  return made != forks;
}
