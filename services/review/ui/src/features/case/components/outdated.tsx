import { useRef, useState } from 'react';

import type { Diagnosis } from '@/lib/contract';
import { dateTime } from '@/lib/format';
import type { Problem } from '@/lib/http';
import { requestDiagnosis } from '@/lib/request-diagnosis';
import { caseHref } from '@/lib/routes';
import { asProblem } from '@/lib/use-resource';

/** That the evidence of the case's time has changed since, and the way to a diagnosis that knows of it. */
export function Outdated({ diagnosis }: { diagnosis: Diagnosis }) {
  const outdated = diagnosis.outdated;
  if (outdated == null) return null;
  const texts = [...new Set(outdated.changes.map((change) => change.text))];
  return (
    <section className="callout callout-warn outdated" aria-label="Outdated">
      <h2>The evidence has changed since</h2>
      <ul>
        {texts.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
      <p className="small">
        Found <time dateTime={outdated.since}>{dateTime(outdated.since)}</time>. What is shown below was computed without it.
      </p>
      {outdated.supersededBy == null ? (
        <AskAgain diagnosis={diagnosis} />
      ) : (
        <a className="button" href={caseHref(outdated.supersededBy)}>
          Open the newer diagnosis
        </a>
      )}
    </section>
  );
}

function AskAgain({ diagnosis }: { diagnosis: Diagnosis }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // Kept over a failed attempt, so that trying again cannot ask twice.
  const key = useRef<string>(crypto.randomUUID());

  async function ask() {
    setBusy(true);
    setProblem(null);
    try {
      const made = await requestDiagnosis(diagnosis.patient, diagnosis.priority, key.current, diagnosis.case?.asOf);
      window.location.hash = caseHref(made.id);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  return (
    <>
      <button type="button" className="button" onClick={() => void ask()} disabled={busy}>
        {busy ? 'Asking…' : 'Ask again, as of the same time'}
      </button>
      {problem === null ? null : (
        <p className="field-error small" role="alert">
          {problem.detail}
        </p>
      )}
    </>
  );
}
