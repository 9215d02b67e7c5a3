import type { Diagnosis } from '@/lib/contract';

/** That a diagnosis may rest on what the patient denies to treatment. */
export function BrokenGlass({ diagnosis }: { diagnosis: Diagnosis }) {
  const purpose = diagnosis.case?.purpose ?? 'TREAT';
  if (purpose === 'TREAT') return null;
  return (
    <section className="callout callout-warn" aria-label="Broken glass">
      <h2>Asked for in an emergency ({purpose})</h2>
      <p className="small">
        It may rest on evidence that the patient denies to treatment. Each such access is in the log, and another person
        has to review it.
      </p>
    </section>
  );
}
