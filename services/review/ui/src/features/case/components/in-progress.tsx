import type { Waiting } from '@/lib/contract';

const STAGES: readonly [string, string][] = [
  ['queued', 'Waiting for a worker'],
  ['fetch', 'Collecting the evidence and its consents'],
  ['encode', 'Reading radiograph, note and vitals'],
  ['fuse', 'Weighing them together'],
  ['explain', 'Finding what spoke for and against'],
  ['record', 'Writing it to the audit log'],
];

interface Props {
  status: 'queued' | 'running';
  stage: string | null;
  /** What it lacks, where it was begun and put off. */
  waiting: Waiting | null;
}

/** Where a diagnosis in progress stands. */
export function InProgress({ status, stage, waiting }: Props) {
  const at = status === 'queued' ? 0 : Math.max(1, STAGES.findIndex(([name]) => name === stage));
  return (
    <section className="panel in-progress" aria-label="Progress">
      <h2>In progress</h2>
      <ol className="stages" aria-live="polite">
        {STAGES.map(([name, words], i) => (
          <li key={name} className={i < at ? 'done' : i === at ? 'now' : undefined} aria-current={i === at ? 'step' : undefined}>
            {words}
          </li>
        ))}
      </ol>
      {waiting === null || status !== 'queued' ? null : (
        <p className="callout callout-warn" role="status">
          It was put off {waiting.tries === 1 ? 'once' : `${waiting.tries} times`} and is tried again by itself. {waiting.reason}
        </p>
      )}
      <p className="muted small">This page shows the result as soon as there is one. You can leave it and come back.</p>
    </section>
  );
}
