import type { Diagnosis } from '@/lib/contract';
import { dateTime } from '@/lib/format';
import { caseHref } from '@/lib/routes';
import { useAsk } from '@/lib/use-ask';

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
        Found <time dateTime={outdated.since}>{dateTime(outdated.since)}</time>. What is shown below was computed before.
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
  const { busy, problem, ask } = useAsk();
  const again = () => void ask(diagnosis.patient, diagnosis.priority, diagnosis.case?.asOf);
  return (
    <>
      <button type="button" className="button" onClick={again} disabled={busy}>
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
