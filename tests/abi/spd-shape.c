/*
 * A program as the original's users write them: wide literals, CamelCase, callbacks in a static
 * interface, a guard for the console handler. It must compile unchanged, and run.
 */
#include <winspd/winspd.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_COUNT 1024
#define BLOCK_LENGTH 512

typedef struct _MEMORY {
	SPD_STORAGE_UNIT *StorageUnit;
	PUINT8 Pointer;
} MEMORY;

static SPD_GUARD ConsoleCtrlGuard = SPD_GUARD_INIT;

static BOOLEAN Read(SPD_STORAGE_UNIT *StorageUnit,
    PVOID Buffer, UINT64 BlockAddress, UINT32 BlockCount, BOOLEAN FlushFlag,
    SPD_STORAGE_UNIT_STATUS *Status)
{
    MEMORY *Memory = (MEMORY *)StorageUnit->UserContext;

    (void)FlushFlag;
    if (BlockAddress + BlockCount > StorageUnit->StorageUnitParams.BlockCount)
    {
        SpdStorageUnitStatusSetSense(Status, SCSI_SENSE_ILLEGAL_REQUEST, SCSI_ADSENSE_ILLEGAL_BLOCK, 0);
        return TRUE;
    }
    memcpy(Buffer, Memory->Pointer + BlockAddress * BLOCK_LENGTH, (size_t)BlockCount * BLOCK_LENGTH);
    return TRUE;
}

static BOOLEAN Write(SPD_STORAGE_UNIT *StorageUnit,
    PVOID Buffer, UINT64 BlockAddress, UINT32 BlockCount, BOOLEAN FlushFlag,
    SPD_STORAGE_UNIT_STATUS *Status)
{
    MEMORY *Memory = (MEMORY *)StorageUnit->UserContext;

    (void)FlushFlag;
    (void)Status;
    memcpy(Memory->Pointer + BlockAddress * BLOCK_LENGTH, Buffer, (size_t)BlockCount * BLOCK_LENGTH);
    return TRUE;
}

static BOOLEAN Flush(SPD_STORAGE_UNIT *StorageUnit,
    UINT64 BlockAddress, UINT32 BlockCount,
    SPD_STORAGE_UNIT_STATUS *Status)
{
    UNREFERENCED_PARAMETER(StorageUnit);
    UNREFERENCED_PARAMETER(BlockAddress);
    UNREFERENCED_PARAMETER(BlockCount);
    UNREFERENCED_PARAMETER(Status);
    return TRUE;
}

static BOOLEAN Unmap(SPD_STORAGE_UNIT *StorageUnit,
    SPD_UNMAP_DESCRIPTOR Descriptors[], UINT32 Count,
    SPD_STORAGE_UNIT_STATUS *Status)
{
    MEMORY *Memory = (MEMORY *)StorageUnit->UserContext;

    (void)Status;
    for (UINT32 I = 0; Count > I; I++)
        memset(Memory->Pointer + Descriptors[I].BlockAddress * BLOCK_LENGTH, 0,
            (size_t)Descriptors[I].BlockCount * BLOCK_LENGTH);
    return TRUE;
}

static SPD_STORAGE_UNIT_INTERFACE Interface =
{
    Read,
    Write,
    Flush,
    Unmap,
    { 0 }
};

static VOID ShutdownUnit(PVOID StorageUnit)
{
    SpdStorageUnitShutdown((SPD_STORAGE_UNIT *)StorageUnit);
}

int main(void)
{
    SPD_STORAGE_UNIT_PARAMS StorageUnitParams;
    SPD_PARTITION Partition;
    MEMORY Memory;
    DWORD Error;

    memset(&Memory, 0, sizeof Memory);
    Memory.Pointer = (PUINT8)calloc(BLOCK_COUNT, BLOCK_LENGTH);
    if (0 == Memory.Pointer)
        return 1;

    memset(&Partition, 0, sizeof Partition);
    Partition.Type = 7;
    Partition.BlockAddress = 8;
    Partition.BlockCount = BLOCK_COUNT - 8;
    if (ERROR_SUCCESS != SpdDefinePartitionTable(&Partition, 1, Memory.Pointer))
        return 2;

    memset(&StorageUnitParams, 0, sizeof StorageUnitParams);
    StorageUnitParams.Guid.Data1 = 42;
    StorageUnitParams.BlockCount = BLOCK_COUNT;
    StorageUnitParams.BlockLength = BLOCK_LENGTH;
    memcpy(StorageUnitParams.ProductId, "Shape", 5);
    memcpy(StorageUnitParams.ProductRevisionLevel, "1.0", 3);
    StorageUnitParams.WriteProtected = FALSE;
    StorageUnitParams.CacheSupported = TRUE;
    StorageUnitParams.UnmapSupported = TRUE;
    StorageUnitParams.MaxTransferLength = 64 * 1024;

    Error = SpdStorageUnitCreate((PWSTR)L"\\\\.\\pipe\\shape", &StorageUnitParams, &Interface,
        &Memory.StorageUnit);
    if (ERROR_SUCCESS != Error)
        return 3;
    Memory.StorageUnit->UserContext = &Memory;
    SpdStorageUnitSetDebugLog(Memory.StorageUnit, 0);

    Error = SpdStorageUnitStartDispatcher(Memory.StorageUnit, 2);
    if (ERROR_SUCCESS != Error)
        return 4;
    SpdServiceLog(EVENTLOG_INFORMATION_TYPE, (PWSTR)L"%s runs", L"shape");

    SpdGuardSet(&ConsoleCtrlGuard, Memory.StorageUnit);
    SpdGuardExecute(&ConsoleCtrlGuard, ShutdownUnit);
    SpdStorageUnitWaitDispatcher(Memory.StorageUnit);
    SpdGuardSet(&ConsoleCtrlGuard, 0);

    SpdStorageUnitGetDispatcherError(Memory.StorageUnit, &Error);
    SpdStorageUnitDelete(Memory.StorageUnit);
    free(Memory.Pointer);
    return ERROR_OPERATION_ABORTED == Error ? 0 : 5;
}
