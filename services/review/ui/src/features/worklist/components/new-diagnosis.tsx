import { type FormEvent, useRef, useState } from 'react';

import type { Problem } from '@/lib/http';
import { type Priority, requestDiagnosis } from '@/lib/request-diagnosis';
import { caseHref } from '@/lib/routes';
import { asProblem } from '@/lib/use-resource';

/** Asks for a diagnosis and opens its page, which follows the progress. */
export function NewDiagnosis() {
  const [patient, setPatient] = useState('');
  const [priority, setPriority] = useState<Priority>('routine');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // Kept over a failed attempt, so that trying again cannot ask twice; renewed when the question changes.
  const key = useRef<string | null>(null);

  function change(apply: () => void) {
    key.current = null;
    setProblem(null);
    apply();
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    key.current ??= crypto.randomUUID();
    try {
      const made = await requestDiagnosis(patient.trim(), priority, key.current);
      window.location.hash = caseHref(made.id);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  return (
    <form className="new-diagnosis" onSubmit={(event) => void submit(event)} aria-label="New diagnosis">
      <input
        type="text"
        aria-label="Patient id"
        placeholder="Patient id"
        value={patient}
        maxLength={64}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => change(() => setPatient(event.target.value))}
        aria-invalid={problem !== null}
      />
      <select
        aria-label="Priority"
        value={priority}
        onChange={(event) => change(() => setPriority(event.target.value === 'stat' ? 'stat' : 'routine'))}
      >
        <option value="routine">Routine</option>
        <option value="stat">Stat</option>
      </select>
      <button type="submit" className="button button-primary" disabled={busy || patient.trim() === ''}>
        {busy ? 'Asking…' : 'New diagnosis'}
      </button>
      {problem === null ? null : (
        <p className="field-error small new-diagnosis-error" role="alert">
          {problem.detail}
        </p>
      )}
    </form>
  );
}
