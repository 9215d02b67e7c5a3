import { useState } from 'react';

import { listAccesses } from '@/features/break-glass/api/list-accesses';
import { reviewAccess } from '@/features/break-glass/api/review-access';
import type { BreakGlass, BreakGlassReview } from '@/lib/contract';
import { dateTime } from '@/lib/format';
import type { Problem } from '@/lib/http';
import { useSession } from '@/lib/session';
import { asProblem, useResource } from '@/lib/use-resource';

const WATCHERS = ['clinician', 'auditor'];

/** That somebody broke the glass and nobody has looked at it yet; says nothing while there is nothing to review. */
export function OpenAccesses() {
  const { user } = useSession();
  // Once a page: each look is an entry of the log.
  const watches = WATCHERS.includes(user.role);
  const found = useResource(watches ? 'break-glass' : null, listAccesses);
  const items = found.data?.items ?? [];
  if (items.length === 0) return null;
  const overdue = items.filter((access) => access.state === 'overdue').length;
  return (
    <section className="callout callout-warn" role="alert" aria-label="Broken glass">
      <h2>
        {items.length === 1 ? 'One access against a denial waits' : `${items.length} accesses against a denial wait`} for
        review{overdue > 0 && `, ${overdue} overdue`}
      </h2>
      <ul>
        {items.map((access) => (
          <Access key={access.id} access={access} own={access.by === user.subject} onReviewed={found.reload} />
        ))}
      </ul>
    </section>
  );
}

function Access({ access, own, onReviewed }: { access: BreakGlass; own: boolean; onReviewed: () => void }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  async function review(finding: BreakGlassReview['finding']) {
    setBusy(true);
    try {
      await reviewAccess(access.id, { finding });
      onReviewed();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  return (
    <li>
      <p>
        {access.by} opened {access.modalities.join(', ')} of {access.patient} ({access.purpose}): “{access.reason}”
      </p>
      <p className="small">
        {access.state === 'overdue' ? 'Overdue since' : 'To be reviewed by'}{' '}
        <time dateTime={access.reviewDueAt}>{dateTime(access.reviewDueAt)}</time>.
        {own && ' Another person has to review it.'}
      </p>
      {!own && (
        <p>
          <button type="button" disabled={busy} onClick={() => void review('justified')}>
            Justified
          </button>{' '}
          <button type="button" disabled={busy} onClick={() => void review('unjustified')}>
            Not justified
          </button>
        </p>
      )}
      {problem !== null && (
        <p className="field-error" role="alert">
          {problem.detail}
        </p>
      )}
    </li>
  );
}
