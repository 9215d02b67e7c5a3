import { type FormEvent, useState } from 'react';

import { Icon } from '@/components/icon';
import { Panel } from '@/components/panel';
import { giveFeedback } from '@/features/case/api/give-feedback';
import type { Diagnosis, Feedback } from '@/lib/contract';
import type { Problem } from '@/lib/http';
import { asProblem } from '@/lib/use-resource';

type Action = Feedback['action'];

const ACTIONS: readonly [Action, string][] = [
  ['accept', 'Accept'],
  ['override', 'Override'],
  ['comment', 'Comment'],
];
const OTHER = 'other';

/** What the clinician makes of it: one click to accept, a diagnosis to override, a text to comment. */
export function FeedbackForm({ diagnosis }: { diagnosis: Diagnosis }) {
  const ranked = diagnosis.diagnoses ?? [];
  const [action, setAction] = useState<Action>(diagnosis.abstained ? 'comment' : 'accept');
  const [code, setCode] = useState('');
  const [other, setOther] = useState('');
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [recorded, setRecorded] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  const chosen = code === OTHER ? other.trim() : code;
  const ready = action === 'accept' || (action === 'override' ? chosen !== '' : text.trim() !== '');

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await giveFeedback(diagnosis.id, { action, code: action === 'override' ? chosen : null, text: text.trim() || null });
      setRecorded(wordsOf(action, ranked.find((item) => item.code.code === chosen)?.code.display ?? chosen));
      setText('');
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Panel title="Your decision">
      <form className="feedback" onSubmit={(event) => void submit(event)}>
        <fieldset className="segmented">
          <legend className="visually-hidden">Decision</legend>
          {ACTIONS.filter(([name]) => name !== 'accept' || !diagnosis.abstained).map(([name, words]) => (
            <label key={name}>
              <input type="radio" name="action" checked={action === name} onChange={() => setAction(name)} />
              <span>{words}</span>
            </label>
          ))}
        </fieldset>
        {action === 'override' ? (
          <div className="override">
            <select aria-label="Your diagnosis" value={code} onChange={(event) => setCode(event.target.value)}>
              <option value="">Your diagnosis…</option>
              {ranked.map((item) => (
                <option key={item.code.code} value={item.code.code}>
                  {item.code.display}
                </option>
              ))}
              <option value={OTHER}>Another, by SNOMED CT code</option>
            </select>
            {code === OTHER ? (
              <input
                type="text"
                aria-label="SNOMED CT code"
                placeholder="SNOMED CT code"
                inputMode="numeric"
                maxLength={18}
                value={other}
                onChange={(event) => setOther(event.target.value.replace(/\D/g, ''))}
              />
            ) : null}
          </div>
        ) : null}
        <textarea
          rows={2}
          aria-label={action === 'comment' ? 'Comment' : 'Reason (optional)'}
          placeholder={action === 'comment' ? 'Comment' : 'Reason (optional)'}
          maxLength={4000}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <div className="feedback-foot">
          <button type="submit" className="button button-primary" disabled={busy || !ready}>
            {busy ? 'Recording…' : 'Record'}
          </button>
          <Outcome recorded={recorded} problem={problem} />
        </div>
      </form>
    </Panel>
  );
}

function Outcome({ recorded, problem }: { recorded: string | null; problem: Problem | null }) {
  if (problem !== null) {
    return (
      <p className="field-error small" role="alert">
        Not recorded: {problem.detail}
      </p>
    );
  }
  if (recorded === null) return <p className="small muted">Goes into the audit log under your sign-in.</p>;
  return (
    <p className="small recorded" role="status">
      <Icon name="check" size={14} /> {recorded}
    </p>
  );
}

function wordsOf(action: Action, diagnosis: string): string {
  if (action === 'accept') return 'Recorded: you accepted the assessment.';
  if (action === 'override') return `Recorded: your diagnosis is ${diagnosis}.`;
  return 'Recorded: your comment.';
}
