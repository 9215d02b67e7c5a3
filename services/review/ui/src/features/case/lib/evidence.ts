import { setAsideOf } from '@/features/case/lib/quality';
import { type Diagnosis, MODALITIES, type Modality } from '@/lib/contract';

/** Which kind of evidence an id of the result belongs to; null when the result does not say. */
export function modalityOf(diagnosis: Diagnosis, evidence: string): Modality | null {
  const used = MODALITIES.find((m) => diagnosis.modalities?.[m]?.evidence?.includes(evidence));
  if (used !== undefined) return used;
  if (diagnosis.explanation?.images?.some((image) => image.instance === evidence)) return 'image';
  if (diagnosis.explanation?.notes?.some((note) => note.id === evidence)) return 'note';
  if (setAsideOf(diagnosis.modalities?.note?.quality ?? {}).some((item) => item.note === evidence)) return 'note';
  return null;
}

/** The kinds of evidence that a sentence rests on, each once. */
export function modalitiesOf(diagnosis: Diagnosis, evidence: readonly string[]): Modality[] {
  const found = evidence.map((id) => modalityOf(diagnosis, id)).filter((m) => m !== null);
  return MODALITIES.filter((m) => found.includes(m));
}

/** The id of the panel that shows a kind of evidence. */
export function panelId(modality: Modality): string {
  return `evidence-${modality}`;
}
