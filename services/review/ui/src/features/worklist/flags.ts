import { type Diagnosis, MODALITIES } from '@/lib/contract';
import { MODALITY_NAMES } from '@/lib/format';

export type Flag = { key: string; text: string; tone: 'warn' | 'note' };

/** What a reader of the work-list should know before opening a case. */
export function flagsOf(diagnosis: Diagnosis): Flag[] {
  const flags: Flag[] = [];
  if (diagnosis.outdated != null) {
    const superseded = diagnosis.outdated.supersededBy != null;
    flags.push({ key: 'outdated', text: superseded ? 'Superseded' : 'Evidence changed', tone: superseded ? 'note' : 'warn' });
  }
  for (const modality of MODALITIES) {
    const found = diagnosis.modalities?.[modality];
    const name = MODALITY_NAMES[modality];
    if (found === undefined) continue;
    if (found.status === 'no-consent') flags.push({ key: modality, text: `${name}: no consent`, tone: 'warn' });
    else if (found.status === 'rejected') flags.push({ key: modality, text: `${name} rejected`, tone: 'warn' });
    else if (found.status === 'missing') flags.push({ key: modality, text: `No ${name.toLowerCase()}`, tone: 'note' });
    else if (found.ood?.flagged) flags.push({ key: modality, text: `${name} unfamiliar`, tone: 'warn' });
  }
  return flags;
}
