/*
 * The debug log: one line per request and per response of the kinds that are turned on.
 *
 *	NAME[TID=xxxx]: HINT: >>Kind BlockAddress=… BlockCount=… ForceUnitAccess=…
 *	NAME[TID=xxxx]: HINT: <<Kind Status={ScsiStatus=… SenseKey=… ASC=… ASCQ=… Information=…}
 */
#include "api/winspd/priv.h"

#include "api/common/system.h"
#include "api/common/trace.h"
#include "api/common/wide.h"
#include <string.h>
#include <unistd.h>

enum { EXTENSION_FIRST = SpdxTransactWriteZeroesKind, EXTENSION_BIT = 8 };

static const char *
kind_name(UINT8 kind)
{
	static const char *const names[] = {"RESERVED", "Read", "Write", "Flush", "Unmap"};
	static const char *const extensions[] = {"WriteZeroes", "WriteSame", "CompareAndWrite",
						 "QueryRanges"};

	if (kind < ARRAY_SIZE(names))
		return names[kind];
	if (kind >= EXTENSION_FIRST && kind < EXTENSION_FIRST + (int)ARRAY_SIZE(extensions))
		return extensions[kind - EXTENSION_FIRST];
	return NULL;
}

bool
spd_debug_enabled(UINT32 mask, UINT8 kind)
{
	unsigned bit = kind >= EXTENSION_FIRST ? kind - EXTENSION_FIRST + EXTENSION_BIT : kind;

	return mask && bit < 32 && (mask & (1u << bit));
}

VOID
SpdDebugLogSetHandle(HANDLE Handle)
{
	trace_set_fd((int)(intptr_t)Handle);
}

VOID
SpdDebugLog(const char *Format, ...)
{
	va_list ap;

	va_start(ap, Format);
	trace_vprintf(Format, ap);
	va_end(ap);
}

static void
add_u64(struct buf *b, const char *label, uint64_t v)
{
	buf_printf(b, "%s%x:%x", label, (uint32_t)(v >> 32), (uint32_t)v);
}

VOID
SpdDebugLogRequest(SPD_IOCTL_TRANSACT_REQ *Request)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	trace_begin(&b, Request->Hint, ">>", kind_name(Request->Kind));
	if (Request->Kind == SpdIoctlTransactUnmapKind) {
		buf_printf(&b, " Count=%u", Request->Op.Unmap.Count);
	} else if (kind_name(Request->Kind)) {
		add_u64(&b, " BlockAddress=", Request->Op.Write.BlockAddress);
		buf_printf(&b, ", BlockCount=%u", Request->Op.Write.BlockCount);
		if (Request->Kind != SpdIoctlTransactFlushKind)
			buf_printf(&b, ", ForceUnitAccess=%u",
				   Request->Op.Write.ForceUnitAccess);
	}
	buf_add(&b, "\n", 1);
	trace_buf(&b);
}

VOID
SpdDebugLogResponse(SPD_IOCTL_TRANSACT_RSP *Response)
{
	const SPD_STORAGE_UNIT_STATUS *s = &Response->Status;
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	trace_begin(&b, Response->Hint, "<<", kind_name(Response->Kind));
	buf_printf(&b, " Status={ScsiStatus=%u", s->ScsiStatus);
	if (s->ScsiStatus != SCSISTAT_GOOD)
		buf_printf(&b, ", SenseKey=%u, ASC=%02x, ASCQ=%02x", s->SenseKey, s->ASC, s->ASCQ);
	if (s->InformationValid)
		add_u64(&b, ", Information=", s->Information);
	buf_printf(&b, "}\n");
	trace_buf(&b);
}

/* ---------------------------------------------------------------- text for people */

static void
print(int fd, const char *text)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	ssize_t done;

	buf_printf(&line, "%s\n", text);
	done = write(fd, buf_str(&line), strlen(buf_str(&line)));
	(void)done;
}

VOID
SpdPrintLogV(HANDLE Handle, PWSTR Format, va_list ap)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	wide_format(&text, (const uint16_t *)Format, ap);
	print((int)(intptr_t)Handle, buf_str(&text));
}

VOID
SpdPrintLog(HANDLE Handle, PWSTR Format, ...)
{
	va_list ap;

	va_start(ap, Format);
	SpdPrintLogV(Handle, Format, ap);
	va_end(ap);
}

VOID
SpdEventLogV(ULONG Type, PWSTR Format, va_list ap)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	wide_format(&text, (const uint16_t *)Format, ap);
	service_log(Type, buf_str(&text), true);
}

VOID
SpdEventLog(ULONG Type, PWSTR Format, ...)
{
	va_list ap;

	va_start(ap, Format);
	SpdEventLogV(Type, Format, ap);
	va_end(ap);
}

VOID
SpdServiceLogV(ULONG Type, PWSTR Format, va_list ap)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	wide_format(&text, (const uint16_t *)Format, ap);
	service_log(Type, buf_str(&text), !system_is_interactive());
}

VOID
SpdServiceLog(ULONG Type, PWSTR Format, ...)
{
	va_list ap;

	va_start(ap, Format);
	SpdServiceLogV(Type, Format, ap);
	va_end(ap);
}
