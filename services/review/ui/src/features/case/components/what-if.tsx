import { Panel } from '@/components/panel';
import type { Diagnosis, NextBest, WithoutModality } from '@/lib/contract';
import { MODALITY_NAMES, percent } from '@/lib/format';

/** What would change the answer: each kind of evidence taken away, and those that were not used added. */
export function WhatIf({ diagnosis }: { diagnosis: Diagnosis }) {
  const absences = diagnosis.explanation?.whatIf ?? [];
  const next = diagnosis.explanation?.nextBest ?? [];
  if (absences.length === 0 && next.length === 0) return null;
  const first = diagnosis.diagnoses?.[0]?.code.code;
  return (
    <Panel title="What would change the answer">
      {absences.length === 0 ? null : (
        <table className="what-if">
          <thead>
            <tr>
              <th scope="col">Without</th>
              <th scope="col">Would come first</th>
              <th scope="col" className="number">
                Probability
              </th>
              <th scope="col" className="number">
                In the set
              </th>
            </tr>
          </thead>
          <tbody>
            {absences.map((absence) => (
              <Absence key={absence.modality} absence={absence} first={first} />
            ))}
          </tbody>
        </table>
      )}
      {next.length === 0 ? null : (
        <ol className="next-best small" aria-label="Not used, the most telling first">
          {next.map((item) => (
            <li key={item.modality}>
              {MODALITY_NAMES[item.modality]} <span className="muted">({REASONS[item.status]})</span>: {expectation(item)}
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

function Absence({ absence, first }: { absence: WithoutModality; first: string | undefined }) {
  const name = MODALITY_NAMES[absence.modality];
  if (!absence.diagnosis || absence.probability == null) {
    return (
      <tr>
        <th scope="row">{name}</th>
        <td colSpan={3} className="muted">
          nothing would be left to advise from
        </td>
      </tr>
    );
  }
  const changed = absence.diagnosis.code !== first;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>
        {changed ? <strong>{absence.diagnosis.display}</strong> : absence.diagnosis.display}
        <span className="muted small"> {changed ? '(another)' : '(the same)'}</span>
      </td>
      <td className="number">{percent(absence.probability)}</td>
      <td className="number">{absence.setSize ?? '–'}</td>
    </tr>
  );
}

const REASONS: Record<NextBest['status'], string> = {
  used: 'used',
  missing: 'missing',
  'no-consent': 'no consent',
  rejected: 'rejected',
};

/** What to expect of a modality before it is seen; an expectation, never a promise. */
export function expectation({ expectedDrop, interval: [low, high] }: NextBest): string {
  if (expectedDrop < 0.005) return 'not expected to make the answer surer';
  const [from, to] = [low, high].map((value) => value.toFixed(2).replace('-', '−'));
  return `expected to lower the uncertainty by ${expectedDrop.toFixed(2)} nats (in four of five cases ${from} to ${to})`;
}
