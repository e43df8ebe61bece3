/*
 * SCSI structures under the names that Windows headers give them: command descriptor blocks and
 * standard INQUIRY data. Only what storage programs and tools of the native disk API use.
 */
#ifndef USERDRIVE_NT_SCSI_H
#define USERDRIVE_NT_SCSI_H

#include "nt/types.h"

/* A command as bytes, and by the shapes of SPC-4 4.2. Numbers in byte arrays are big-endian. */
typedef union _CDB {
	UCHAR AsByte[16];
	ULONG AsUlong[4];
	struct _CDB6GENERIC {
		UCHAR OperationCode;
		UCHAR Immediate : 1;
		UCHAR CommandUniqueBits : 4;
		UCHAR LogicalUnitNumber : 3;
		UCHAR CommandUniqueBytes[3];
		UCHAR Link : 1;
		UCHAR Flag : 1;
		UCHAR Reserved : 4;
		UCHAR VendorUnique : 2;
	} CDB6GENERIC;
	struct _CDB6READWRITE {
		UCHAR OperationCode;
		UCHAR LogicalBlockMsb1 : 5;
		UCHAR LogicalUnitNumber : 3;
		UCHAR LogicalBlockMsb0;
		UCHAR LogicalBlockLsb;
		UCHAR TransferBlocks;
		UCHAR Control;
	} CDB6READWRITE;
	struct _CDB6INQUIRY3 {
		UCHAR OperationCode;
		UCHAR EnableVitalProductData : 1;
		UCHAR CommandSupportData : 1;
		UCHAR Reserved1 : 6;
		UCHAR PageCode;
		UCHAR Reserved2;
		UCHAR AllocationLength;
		UCHAR Control;
	} CDB6INQUIRY3;
	struct _MODE_SENSE {
		UCHAR OperationCode;
		UCHAR Reserved1 : 3;
		UCHAR Dbd : 1;
		UCHAR Reserved2 : 1;
		UCHAR LogicalUnitNumber : 3;
		UCHAR PageCode : 6;
		UCHAR Pc : 2;
		UCHAR Reserved3;
		UCHAR AllocationLength;
		UCHAR Control;
	} MODE_SENSE;
	struct _MODE_SENSE10 {
		UCHAR OperationCode;
		UCHAR Reserved1 : 3;
		UCHAR Dbd : 1;
		UCHAR Reserved2 : 1;
		UCHAR LogicalUnitNumber : 3;
		UCHAR PageCode : 6;
		UCHAR Pc : 2;
		UCHAR Reserved3[4];
		UCHAR AllocationLength[2];
		UCHAR Control;
	} MODE_SENSE10;
	struct _CDB10 {
		UCHAR OperationCode;
		UCHAR RelativeAddress : 1;
		UCHAR Reserved1 : 2;
		UCHAR ForceUnitAccess : 1;
		UCHAR DisablePageOut : 1;
		UCHAR LogicalUnitNumber : 3;
		UCHAR LogicalBlockByte0;
		UCHAR LogicalBlockByte1;
		UCHAR LogicalBlockByte2;
		UCHAR LogicalBlockByte3;
		UCHAR Reserved2;
		UCHAR TransferBlocksMsb;
		UCHAR TransferBlocksLsb;
		UCHAR Control;
	} CDB10;
	struct _CDB12 {
		UCHAR OperationCode;
		UCHAR RelativeAddress : 1;
		UCHAR Reserved1 : 2;
		UCHAR ForceUnitAccess : 1;
		UCHAR DisablePageOut : 1;
		UCHAR LogicalUnitNumber : 3;
		UCHAR LogicalBlock[4];
		UCHAR TransferLength[4];
		UCHAR Reserved2;
		UCHAR Control;
	} CDB12;
	struct _CDB16 {
		UCHAR OperationCode;
		UCHAR Reserved1 : 3;
		UCHAR ForceUnitAccess : 1;
		UCHAR DisablePageOut : 1;
		UCHAR Protection : 3;
		UCHAR LogicalBlock[8];
		UCHAR TransferLength[4];
		UCHAR Reserved2;
		UCHAR Control;
	} CDB16;
	struct _READ_CAPACITY16 {
		UCHAR OperationCode;
		UCHAR ServiceAction : 5;
		UCHAR Reserved1 : 3;
		UCHAR LogicalBlock[8];
		UCHAR AllocationLength[4];
		UCHAR PMI : 1;
		UCHAR Reserved2 : 7;
		UCHAR Control;
	} READ_CAPACITY16;
	struct _UNMAP {
		UCHAR OperationCode;
		UCHAR Anchor : 1;
		UCHAR Reserved1 : 7;
		UCHAR Reserved2[4];
		UCHAR GroupNumber : 5;
		UCHAR Reserved3 : 3;
		UCHAR AllocationLength[2];
		UCHAR Control;
	} UNMAP;
} CDB, *PCDB;

/* SPC-4 6.6.2 */
typedef struct _INQUIRYDATA {
	UCHAR DeviceType : 5;
	UCHAR DeviceTypeQualifier : 3;
	UCHAR DeviceTypeModifier : 7;
	UCHAR RemovableMedia : 1;
	UCHAR Versions;
	UCHAR ResponseDataFormat : 4;
	UCHAR HiSupport : 1;
	UCHAR NormACA : 1;
	UCHAR TerminateTask : 1;
	UCHAR AERC : 1;
	UCHAR AdditionalLength;
	UCHAR Reserved5;
	UCHAR Reserved6;
	UCHAR SoftReset : 1;
	UCHAR CommandQueue : 1;
	UCHAR Reserved7 : 6;
	UCHAR VendorId[8];
	UCHAR ProductId[16];
	UCHAR ProductRevisionLevel[4];
	UCHAR VendorSpecific[20];
	UCHAR Reserved56[2];
	USHORT VersionDescriptors[8];
	UCHAR Reserved74[30];
} INQUIRYDATA, *PINQUIRYDATA;
#define INQUIRYDATABUFFERSIZE 36

#define SCSISTAT_GOOD 0x00
#define SCSISTAT_CHECK_CONDITION 0x02
#define SCSISTAT_BUSY 0x08
#define SCSISTAT_RESERVATION_CONFLICT 0x18
#define SCSISTAT_QUEUE_FULL 0x28
#define SCSISTAT_TASK_ABORTED 0x40

#define SCSI_SENSE_NO_SENSE 0x00
#define SCSI_SENSE_RECOVERED_ERROR 0x01
#define SCSI_SENSE_NOT_READY 0x02
#define SCSI_SENSE_MEDIUM_ERROR 0x03
#define SCSI_SENSE_HARDWARE_ERROR 0x04
#define SCSI_SENSE_ILLEGAL_REQUEST 0x05
#define SCSI_SENSE_UNIT_ATTENTION 0x06
#define SCSI_SENSE_DATA_PROTECT 0x07
#define SCSI_SENSE_ABORTED_COMMAND 0x0B
#define SCSI_SENSE_MISCOMPARE 0x0E

#define SCSI_ADSENSE_NO_SENSE 0x00
#define SCSI_ADSENSE_WRITE_ERROR 0x0C
#define SCSI_ADSENSE_UNRECOVERED_ERROR 0x11
#define SCSI_ADSENSE_ILLEGAL_COMMAND 0x20
#define SCSI_ADSENSE_ILLEGAL_BLOCK 0x21
#define SCSI_ADSENSE_INVALID_CDB 0x24
#define SCSI_ADSENSE_INVALID_FIELD_PARAMETER_LIST 0x26
#define SCSI_ADSENSE_WRITE_PROTECT 0x27

#endif
