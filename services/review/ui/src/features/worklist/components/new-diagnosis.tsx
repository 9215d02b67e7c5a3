import { type FormEvent, useState } from 'react';

import type { Priority } from '@/lib/request-diagnosis';
import { useAsk } from '@/lib/use-ask';

/** Asks for a diagnosis and opens its page, which follows the progress. */
export function NewDiagnosis() {
  const [patient, setPatient] = useState('');
  const [priority, setPriority] = useState<Priority>('routine');
  const { busy, problem, ask, renew } = useAsk();

  function change(apply: () => void) {
    renew();
    apply();
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void ask(patient.trim(), priority);
  }

  return (
    <form className="new-diagnosis" onSubmit={submit} aria-label="New diagnosis">
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
