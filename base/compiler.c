#include "base/compiler.h"

#include <stdlib.h>
#include <unistd.h>

void
free_ptr(void *pp)
{
	free(*(void **)pp);
}

void
close_fd(int *pfd)
{
	if (*pfd >= 0)
		close(*pfd);
}
