/* race.c -- shows that ThreadSanitizer sees what it should: `race planted` has a data race between OpenMP threads, `race threads`
 * one between POSIX threads, `race none` synchronises the same work in all ways that the library uses, and must be silent */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 4096 };

static int sum_with_race(const int *numbers)
{
	int sum = 0;
#pragma omp parallel for num_threads(4) schedule(static)
	for (int i = 0; i < COUNT; i++) sum += numbers[i];
	return sum;
}

static int sum_without(const int *numbers, int *copy)
{
	int sum = 0, again = 0, last = 0;
	atomic_int turns = 0;
#pragma omp parallel for num_threads(4) schedule(dynamic, 1) reduction(+ : sum)
	for (int i = 0; i < COUNT; i++) sum += copy[i] = numbers[i];
#pragma omp parallel num_threads(4)
	{
		int own = 0;
#pragma omp for schedule(static)
		for (int i = 0; i < COUNT; i++) own += copy[COUNT - 1 - i];
#pragma omp critical(race_sum)
		again += own;
		atomic_fetch_add(&turns, 1);
#pragma omp barrier
#pragma omp single
		last = again;
	}
	return sum == last && atomic_load(&turns) > 0 ? sum : -1;
}

static void *add(void *user)
{
	*(int *)user += 1;
	return NULL;
}

static int threads_with_race(void)
{
	pthread_t thread;
	int n = 0;
	if (pthread_create(&thread, NULL, add, &n) != 0) return -1;
	n += 1;
	pthread_join(thread, NULL);
	return n;
}

int main(int argc, char **argv)
{
	static int numbers[COUNT], copy[COUNT];
	const char *what = argc == 2 ? argv[1] : "";
	for (int i = 0; i < COUNT; i++) numbers[i] = i % 7;
	if (strcmp(what, "planted") == 0)
		printf("%d\n", sum_with_race(numbers));
	else if (strcmp(what, "threads") == 0)
		printf("%d\n", threads_with_race());
	else if (strcmp(what, "none") == 0)
		printf("%d\n", sum_without(numbers, copy));
	else
		return 2;
	return 0;
}
