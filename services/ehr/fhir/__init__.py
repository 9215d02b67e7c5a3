"""The FHIR R4 facade: resources in, resources out, and what the CapabilityStatement says about both."""
