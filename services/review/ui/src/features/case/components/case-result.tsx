import { EmptyState } from '@/components/states';
import { Assessment } from '@/features/case/components/assessment';
import { BrokenGlass } from '@/features/case/components/broken-glass';
import { Contributions } from '@/features/case/components/contributions';
import { FeedbackForm } from '@/features/case/components/feedback-form';
import { ModalityStrip } from '@/features/case/components/modality-strip';
import { NotePanel } from '@/features/case/components/note-panel';
import { Outdated } from '@/features/case/components/outdated';
import { Provenance } from '@/features/case/components/provenance';
import { RadiographPanel } from '@/features/case/components/radiograph-panel';
import { SimilarCases } from '@/features/case/components/similar-cases';
import { Summary } from '@/features/case/components/summary';
import { VitalsPanel } from '@/features/case/components/vitals-panel';
import { WhatIf } from '@/features/case/components/what-if';
import type { Diagnosis } from '@/lib/contract';

/** A final diagnosis: the advice on the left, the evidence on the right. */
export function CaseResult({ diagnosis }: { diagnosis: Diagnosis }) {
  if (diagnosis.status === 'failed') return <Failed diagnosis={diagnosis} />;
  return (
    <>
      <BrokenGlass diagnosis={diagnosis} />
      <Outdated diagnosis={diagnosis} />
      {diagnosis.abstained ? <Abstained diagnosis={diagnosis} /> : <Cautions reasons={diagnosis.reasons ?? []} />}
      <ModalityStrip diagnosis={diagnosis} />
      <div className="case-grid">
        <div className="case-column">
          <Assessment diagnosis={diagnosis} />
          <Summary diagnosis={diagnosis} />
          <Contributions diagnosis={diagnosis} />
          <WhatIf diagnosis={diagnosis} />
          <FeedbackForm diagnosis={diagnosis} />
          <SimilarCases diagnosis={diagnosis} />
          <Provenance diagnosis={diagnosis} />
        </div>
        <div className="case-column">
          <RadiographPanel diagnosis={diagnosis} />
          <NotePanel diagnosis={diagnosis} />
          <VitalsPanel diagnosis={diagnosis} />
        </div>
      </div>
    </>
  );
}

function Abstained({ diagnosis }: { diagnosis: Diagnosis }) {
  const reasons = diagnosis.reasons ?? [];
  const computed = (diagnosis.diagnoses ?? []).length > 0;
  return (
    <section className="callout callout-abstain" aria-label="Abstained">
      <h2>Consilium gives no advice on this case</h2>
      <ul>
        {reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
      {computed ? <p className="small">What it computed is shown below for transparency. Do not rest a decision on it.</p> : null}
    </section>
  );
}

function Cautions({ reasons }: { reasons: string[] }) {
  if (reasons.length === 0) return null;
  return (
    <ul className="callout callout-warn cautions" aria-label="Mind">
      {reasons.map((reason) => (
        <li key={reason}>{reason}</li>
      ))}
    </ul>
  );
}

function Failed({ diagnosis }: { diagnosis: Diagnosis }) {
  return (
    <div className="panel">
      <EmptyState icon="warning" title="There is no result for this case">
        <p>{diagnosis.error ?? 'The service gave no reason.'}</p>
        <p className="muted">Nothing was lost. Mend the cause, then ask for a new diagnosis from the work-list.</p>
      </EmptyState>
    </div>
  );
}
