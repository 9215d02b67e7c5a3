"""The heart of Consilium: from what is known of a patient at a time to a calibrated, explained diagnosis.

A request freezes the evidence into a content-addressed manifest and becomes a job; a worker with a loaded model bundle
claims the job, computes the result, has it recorded in the verifiable log and only then releases it. This service owns
manifests, jobs, results, heat maps and clinicians' feedback; the evidence itself belongs to the ingest services,
consents and the log to `audit`.
"""
