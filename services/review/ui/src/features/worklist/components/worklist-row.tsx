import { IntervalBar } from '@/components/interval-bar';
import { StatusBadge } from '@/components/status-badge';
import { flagsOf } from '@/features/worklist/flags';
import type { Diagnosis } from '@/lib/contract';
import { ago, dateTime, percent, percentInterval } from '@/lib/format';
import { caseHref } from '@/lib/routes';

/** One diagnosis in the work-list; the whole row opens the case. */
export function WorklistRow({ diagnosis, now }: { diagnosis: Diagnosis; now: Date }) {
  const flags = flagsOf(diagnosis);
  return (
    <tr className={diagnosis.status === 'abstained' ? 'row-abstained' : undefined}>
      <th scope="row">
        <a className="row-link" href={caseHref(diagnosis.id)}>
          {diagnosis.patient}
        </a>
        {diagnosis.priority === 'stat' ? <span className="stat">STAT</span> : null}
      </th>
      <td>
        <time dateTime={diagnosis.createdAt} title={dateTime(diagnosis.createdAt)}>
          {ago(diagnosis.createdAt, now)}
        </time>
      </td>
      <td>
        <StatusBadge status={diagnosis.status} stage={diagnosis.stage} />
      </td>
      <td>
        <First diagnosis={diagnosis} />
      </td>
      <td className="number">{diagnosis.predictionSet?.codes.length ?? '–'}</td>
      <td>
        <span className="flags">
          {flags.map((flag) => (
            <span key={flag.key} className={`flag flag-${flag.tone}`}>
              {flag.text}
            </span>
          ))}
        </span>
      </td>
    </tr>
  );
}

function First({ diagnosis }: { diagnosis: Diagnosis }) {
  const first = diagnosis.diagnoses?.[0];
  if (diagnosis.status === 'failed') return <span className="muted">{diagnosis.error ?? 'No result'}</span>;
  if (first === undefined) return <span className="muted">–</span>;
  return (
    <div className="first">
      <span className="first-name">{first.code.display}</span>
      <IntervalBar
        probability={first.probability}
        interval={first.interval}
        label={first.code.display}
        strong={diagnosis.status !== 'abstained'}
      />
      <span className="first-number">
        {percent(first.probability)} <span className="muted">{percentInterval(first.interval)}</span>
      </span>
    </div>
  );
}
