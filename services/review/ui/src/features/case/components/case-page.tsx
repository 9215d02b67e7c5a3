import { useEffect } from 'react';

import { Icon } from '@/components/icon';
import { ErrorState, Loading } from '@/components/states';
import { CaseHeader } from '@/features/case/components/case-header';
import { CaseResult } from '@/features/case/components/case-result';
import { InProgress } from '@/features/case/components/in-progress';
import { useDiagnosis } from '@/features/case/hooks/use-diagnosis';
import { worklistHref } from '@/lib/routes';

/** Everything about one diagnosis: the advice, how sure it is, and what it rests on. */
export function CasePage({ id }: { id: string }) {
  const diagnosis = useDiagnosis(id);
  const { data, error } = diagnosis;
  useEffect(() => {
    document.title = 'Case · Consilium';
  }, []);
  return (
    <div className="page page-case">
      <a className="back" href={worklistHref}>
        <Icon name="back" /> Work-list
      </a>
      {data === null ? (
        <div className="panel">
          {error === null ? <Loading label="Loading the case" lines={8} /> : <ErrorState error={error} retry={diagnosis.reload} />}
        </div>
      ) : (
        <>
          <CaseHeader diagnosis={data} />
          {error === null ? null : (
            <p className="callout callout-warn" role="status">
              Not up to date: {error.detail}
            </p>
          )}
          {data.status === 'queued' || data.status === 'running' ? (
            <InProgress status={data.status} stage={diagnosis.stage} waiting={data.waiting ?? null} />
          ) : (
            <CaseResult diagnosis={data} />
          )}
        </>
      )}
    </div>
  );
}
