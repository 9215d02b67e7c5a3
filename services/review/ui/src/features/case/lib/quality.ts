import { hours } from '@/lib/format';

/** What the checks found of one kind of evidence, as far as it helps a reader: how much there is, and how old. */
export function qualityOf(quality: Record<string, unknown>): string {
  const facts: string[] = [];
  const { images, notes, readings, ageHours } = quality;
  if (typeof readings === 'number') facts.push(`${readings} readings`);
  if (typeof images === 'number' && images > 1) facts.push(`${images} images`);
  if (typeof notes === 'number' && notes > 1) facts.push(`${notes} notes`);
  if (quality.truncated === true) facts.push('end cut off');
  if (typeof ageHours === 'number') facts.push(ageHours < 1 / 60 ? 'up to date' : `${hours(ageHours)} before the case`);
  return facts.map((fact) => ` · ${fact}`).join('');
}

/** What is doubtful about the images of a case, each sentence once. */
export function doubtsOf(quality: Record<string, unknown>): string[] {
  const findings: unknown[] = Array.isArray(quality.findings) ? quality.findings : [];
  return [...new Set(findings.flatMap((finding) => (hasText(finding) ? [finding.text] : [])))];
}

/** A note that the model did not read, and why, as a clause. */
export type SetAside = { note: string; reason: string };

/** The notes that were set aside beside those that were read. */
export function setAsideOf(quality: Record<string, unknown>): SetAside[] {
  const listed: unknown[] = Array.isArray(quality.setAside) ? quality.setAside : [];
  return listed.filter(isSetAside);
}

function isSetAside(item: unknown): item is SetAside {
  if (typeof item !== 'object' || item === null || !('note' in item) || !('reason' in item)) return false;
  return typeof item.note === 'string' && typeof item.reason === 'string';
}

function hasText(finding: unknown): finding is { text: string } {
  return typeof finding === 'object' && finding !== null && 'text' in finding && typeof finding.text === 'string';
}
