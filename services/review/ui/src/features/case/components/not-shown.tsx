import { EmptyState } from '@/components/states';
import type { Modality, ModalityOut } from '@/lib/contract';
import { MODALITY_NAMES } from '@/lib/format';

/** The reason as a sentence: the service gives it as a clause. */
function reasonOf(found: ModalityOut): string {
  const reason = found.quality?.reason;
  if (typeof reason !== 'string' || reason === '') return 'Its quality checks failed.';
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}${reason.endsWith('.') ? '' : '.'}`;
}

/** Why a kind of evidence is not shown. */
export function NotShown({ modality, found }: { modality: Modality; found: ModalityOut | undefined }) {
  const name = MODALITY_NAMES[modality].toLowerCase();
  switch (found?.status) {
    case 'no-consent':
      return (
        <EmptyState icon="lock" title={`The ${name} may not be used`}>
          <p>There is no active consent for it, so it was neither read nor shown. The assessment does without.</p>
        </EmptyState>
      );
    case 'rejected':
      return (
        <EmptyState icon="warning" title={`The ${name} was rejected`}>
          <p>{reasonOf(found)} The assessment does without.</p>
        </EmptyState>
      );
    case 'used':
      return (
        <EmptyState icon={modality} title={`Nothing in the ${name} stood out`}>
          <p>It was used; no part of it moved the assessment noticeably.</p>
        </EmptyState>
      );
    default:
      return (
        <EmptyState icon={modality} title={`No ${name} on record`}>
          <p>None had arrived by the time of the case. The assessment does without.</p>
        </EmptyState>
      );
  }
}
