/*
 * Security descriptors, SIDs and their text form (MS-DTYP 2.4, 2.5.1).
 *
 * PSECURITY_DESCRIPTOR always points to a self-relative descriptor. Functions that return
 * BOOL set the thread's last error (GetLastError) when they fail; the rest say what they
 * return. Memory that a function returns through a pointer is freed with LocalFree.
 */
#ifndef USERDRIVE_NT_SECURITY_H
#define USERDRIVE_NT_SECURITY_H

#include "nt/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef PVOID PSECURITY_DESCRIPTOR, PSID;
typedef DWORD SECURITY_INFORMATION, *PSECURITY_INFORMATION;
typedef DWORD ACCESS_MASK, *PACCESS_MASK;
typedef WORD SECURITY_DESCRIPTOR_CONTROL, *PSECURITY_DESCRIPTOR_CONTROL;

#define OWNER_SECURITY_INFORMATION 0x1u
#define GROUP_SECURITY_INFORMATION 0x2u
#define DACL_SECURITY_INFORMATION 0x4u
#define SACL_SECURITY_INFORMATION 0x8u

#define SECURITY_DESCRIPTOR_REVISION 1
#define SDDL_REVISION_1 1
#define ACL_REVISION 2
#define SID_REVISION 1
#define SID_MAX_SUB_AUTHORITIES 15
#define SECURITY_MAX_SID_SIZE 68

#define SE_OWNER_DEFAULTED 0x0001u
#define SE_GROUP_DEFAULTED 0x0002u
#define SE_DACL_PRESENT 0x0004u
#define SE_DACL_DEFAULTED 0x0008u
#define SE_SACL_PRESENT 0x0010u
#define SE_SACL_DEFAULTED 0x0020u
#define SE_DACL_AUTO_INHERIT_REQ 0x0100u
#define SE_SACL_AUTO_INHERIT_REQ 0x0200u
#define SE_DACL_AUTO_INHERITED 0x0400u
#define SE_SACL_AUTO_INHERITED 0x0800u
#define SE_DACL_PROTECTED 0x1000u
#define SE_SACL_PROTECTED 0x2000u
#define SE_SELF_RELATIVE 0x8000u

#define ACCESS_ALLOWED_ACE_TYPE 0x0u
#define ACCESS_DENIED_ACE_TYPE 0x1u
#define SYSTEM_AUDIT_ACE_TYPE 0x2u
#define OBJECT_INHERIT_ACE 0x01u
#define CONTAINER_INHERIT_ACE 0x02u
#define NO_PROPAGATE_INHERIT_ACE 0x04u
#define INHERIT_ONLY_ACE 0x08u
#define INHERITED_ACE 0x10u

typedef struct _SID_IDENTIFIER_AUTHORITY {
	UCHAR Value[6]; /* big-endian */
} SID_IDENTIFIER_AUTHORITY, *PSID_IDENTIFIER_AUTHORITY;

typedef struct _SID {
	UCHAR Revision;
	UCHAR SubAuthorityCount;
	SID_IDENTIFIER_AUTHORITY IdentifierAuthority;
	DWORD SubAuthority[1];
} SID;

typedef struct _ACL {
	UCHAR AclRevision;
	UCHAR Sbz1;
	WORD AclSize;
	WORD AceCount;
	WORD Sbz2;
} ACL, *PACL;

typedef struct _ACE_HEADER {
	UCHAR AceType;
	UCHAR AceFlags;
	WORD AceSize;
} ACE_HEADER, *PACE_HEADER;

typedef struct _ACCESS_ALLOWED_ACE {
	ACE_HEADER Header;
	ACCESS_MASK Mask;
	DWORD SidStart;
} ACCESS_ALLOWED_ACE, *PACCESS_ALLOWED_ACE;

typedef struct _SECURITY_DESCRIPTOR_RELATIVE {
	UCHAR Revision;
	UCHAR Sbz1;
	SECURITY_DESCRIPTOR_CONTROL Control;
	DWORD Owner; /* offsets from the start of the descriptor, 0 = absent */
	DWORD Group;
	DWORD Sacl;
	DWORD Dacl;
} SECURITY_DESCRIPTOR_RELATIVE;

typedef struct _GENERIC_MAPPING {
	ACCESS_MASK GenericRead;
	ACCESS_MASK GenericWrite;
	ACCESS_MASK GenericExecute;
	ACCESS_MASK GenericAll;
} GENERIC_MAPPING, *PGENERIC_MAPPING;

NT_API BOOL ConvertStringSecurityDescriptorToSecurityDescriptorW(
	LPCWSTR StringSecurityDescriptor, DWORD StringSDRevision,
	PSECURITY_DESCRIPTOR *SecurityDescriptor, PULONG SecurityDescriptorSize);
NT_API BOOL ConvertSecurityDescriptorToStringSecurityDescriptorW(
	PSECURITY_DESCRIPTOR SecurityDescriptor, DWORD RequestedStringSDRevision,
	SECURITY_INFORMATION SecurityInformation, LPWSTR *StringSecurityDescriptor,
	PULONG StringSecurityDescriptorLen);
NT_API BOOL ConvertSidToStringSidW(PSID Sid, LPWSTR *StringSid);
NT_API BOOL ConvertStringSidToSidW(LPCWSTR StringSid, PSID *Sid);
NT_API BOOL IsValidSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor);
NT_API DWORD GetSecurityDescriptorLength(PSECURITY_DESCRIPTOR SecurityDescriptor);
NT_API BOOL GetSecurityDescriptorControl(PSECURITY_DESCRIPTOR SecurityDescriptor,
					 PSECURITY_DESCRIPTOR_CONTROL Control, LPDWORD Revision);
NT_API BOOL GetSecurityDescriptorOwner(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Owner,
				       LPBOOL OwnerDefaulted);
NT_API BOOL GetSecurityDescriptorGroup(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Group,
				       LPBOOL GroupDefaulted);
NT_API BOOL GetSecurityDescriptorDacl(PSECURITY_DESCRIPTOR SecurityDescriptor,
				      LPBOOL DaclPresent, PACL *Dacl, LPBOOL DaclDefaulted);
NT_API BOOL GetSecurityDescriptorSacl(PSECURITY_DESCRIPTOR SecurityDescriptor,
				      LPBOOL SaclPresent, PACL *Sacl, LPBOOL SaclDefaulted);
NT_API BOOL IsValidSid(PSID Sid);
NT_API BOOL EqualSid(PSID Sid1, PSID Sid2);
NT_API DWORD GetLengthSid(PSID Sid);
NT_API HANDLE LocalFree(HANDLE Memory);
NT_API DWORD GetLastError(VOID);
NT_API VOID SetLastError(DWORD Error);

#ifdef __cplusplus
}
#endif

#endif
