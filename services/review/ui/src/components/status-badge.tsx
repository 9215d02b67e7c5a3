import type { DiagnosisStatus } from '@/lib/contract';

const WORDS: Record<DiagnosisStatus, string> = {
  queued: 'Queued',
  running: 'Running',
  succeeded: 'Advice ready',
  abstained: 'Abstained',
  failed: 'Failed',
};

/** Where a diagnosis stands, in a word. */
export function StatusBadge({ status, stage }: { status: DiagnosisStatus; stage?: string | null | undefined }) {
  return (
    <span className={`badge badge-${status}`}>
      {WORDS[status]}
      {status === 'running' && stage ? <span className="badge-more"> · {stage}</span> : null}
    </span>
  );
}
