import type { components } from '@/lib/api-types';

type Schemas = components['schemas'];

/** The public contract's shapes under the names that this UI uses; generated from `openapi.json`. */
export type Diagnosis = Schemas['DiagnosisOut'];
export type DiagnosisStatus = Schemas['JobStatus'];
export type Risk = Schemas['Risk'];
export type OrdinalRisk = Schemas['OrdinalRisk'];
export type RankedDiagnosis = Schemas['RankedDiagnosis'];
export type ModalityOut = Schemas['ModalityOut'];
export type ModalityStatus = Schemas['ModalityStatus'];
export type Modality = Schemas['Modality'];
/** The kinds of evidence, and what evidence states of the patient. */
export type Source = Schemas['Source'];
export type ModalityExplanation = Schemas['ModalityExplanation'];
export type Explanation = Schemas['Explanation'];
export type ImageExplanation = Schemas['ImageExplanation'];
export type NoteExplanation = Schemas['NoteExplanation'];
export type NoteSpan = Schemas['NoteSpan'];
export type VitalsExplanation = Schemas['VitalsExplanation'];
export type WithoutModality = Schemas['WithoutModality'];
export type NextBest = Schemas['NextBest'];
export type SummarySentence = Schemas['SummarySentence'];
export type DiagnosisPage = Schemas['DiagnosisPage'];
export type Note = Schemas['NoteOut'];
export type MarkedSample = Schemas['MarkedSample'];
export type VitalFlag = Schemas['Flag'];
export type DeviceClock = Schemas['DeviceClock'];
export type VitalsQuestion = Schemas['VitalsQuestion'];
export type VitalsAnswer = Schemas['VitalsAnswer'];
export type Feedback = Schemas['FeedbackIn'];
export type Waiting = Schemas['Waiting'];
export type BreakGlass = Schemas['BreakGlassOut'];
export type BreakGlassList = Schemas['BreakGlassList'];
export type BreakGlassReview = Schemas['AccessReviewIn'];
export type SignInOptions = Schemas['SignInOptionsOut'];
export type HospitalServer = Schemas['OidcClientOut'];

export const MODALITIES: readonly Modality[] = ['image', 'note', 'vitals'];
export const FINAL: readonly DiagnosisStatus[] = ['succeeded', 'abstained', 'failed'];
