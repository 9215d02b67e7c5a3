import { StatusBadge } from '@/components/status-badge';
import type { Diagnosis } from '@/lib/contract';
import { dateTime } from '@/lib/format';

/** Whose case this is and as of when. */
export function CaseHeader({ diagnosis }: { diagnosis: Diagnosis }) {
  const asOf = diagnosis.case?.asOf;
  return (
    <header className="case-head">
      <h1>
        <span className="visually-hidden">Patient </span>
        {diagnosis.patient}
      </h1>
      <StatusBadge status={diagnosis.status} />
      {diagnosis.priority === 'stat' ? <span className="stat">STAT</span> : null}
      <dl className="facts">
        {asOf === undefined ? null : (
          <div>
            <dt>As known at</dt>
            <dd>
              <time dateTime={asOf}>{dateTime(asOf)}</time>
            </dd>
          </div>
        )}
        <div>
          <dt>Asked</dt>
          <dd>
            <time dateTime={diagnosis.createdAt}>{dateTime(diagnosis.createdAt)}</time>
          </dd>
        </div>
        {diagnosis.model ? (
          <div>
            <dt>Model</dt>
            <dd>
              {diagnosis.model.bundle} {diagnosis.model.version}
            </dd>
          </div>
        ) : null}
      </dl>
    </header>
  );
}
