"""The audit log as FHIR R4: AuditEvents that any FHIR client reads, one for each line."""
