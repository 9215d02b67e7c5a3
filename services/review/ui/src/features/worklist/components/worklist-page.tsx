import { useEffect, useState } from 'react';

import { EmptyState, ErrorState, Loading } from '@/components/states';
import { NewDiagnosis } from '@/features/worklist/components/new-diagnosis';
import { WorklistRow } from '@/features/worklist/components/worklist-row';
import { useWorklist } from '@/features/worklist/hooks/use-worklist';
import type { Diagnosis, DiagnosisPage } from '@/lib/contract';
import type { Resource } from '@/lib/use-resource';

/** The newest diagnoses, and the way to ask for another. */
export function WorklistPage() {
  const list = useWorklist();
  const [sought, setSought] = useState('');
  useEffect(() => {
    document.title = 'Work-list · Consilium';
  }, []);
  const items = list.data?.items ?? [];
  const shown = items.filter((item) => item.patient.toLowerCase().includes(sought.trim().toLowerCase()));
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>Work-list</h1>
          <p className="muted small" role="status">
            {statusOf(list)}
          </p>
        </div>
        {list.error?.status === 403 ? null : (
          <>
            <input
              type="search"
              aria-label="Find a patient"
              placeholder="Find a patient"
              value={sought}
              onChange={(event) => setSought(event.target.value)}
            />
            <NewDiagnosis />
          </>
        )}
      </div>
      <div className="panel panel-flush">
        {list.data === null ? (
          list.error === null ? (
            <Loading label="Loading the work-list" lines={6} />
          ) : (
            <ErrorState error={list.error} retry={list.reload} />
          )
        ) : shown.length === 0 ? (
          <Nothing filtered={items.length > 0} />
        ) : (
          <Table items={shown} now={list.updatedAt ?? new Date()} />
        )}
      </div>
      {list.more === null ? null : (
        <button type="button" className="button more" onClick={list.more}>
          Show older
        </button>
      )}
    </div>
  );
}

function Table({ items, now }: { items: Diagnosis[]; now: Date }) {
  return (
    <table className="worklist">
      <thead>
        <tr>
          <th scope="col">Patient</th>
          <th scope="col">Asked</th>
          <th scope="col">Status</th>
          <th scope="col">First diagnosis</th>
          <th scope="col" className="number" title="Diagnoses that the prediction set cannot exclude">
            Set
          </th>
          <th scope="col">Flags</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <WorklistRow key={item.id} diagnosis={item} now={now} />
        ))}
      </tbody>
    </table>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  if (filtered) return <EmptyState icon="cross" title="No patient here has that id" />;
  return (
    <EmptyState icon="image" title="No diagnoses yet">
      <p>Send a radiograph, a note or vitals of a patient, then ask for a diagnosis with the patient's id above.</p>
    </EmptyState>
  );
}

function statusOf(list: Resource<DiagnosisPage>): string {
  if (list.data === null) return list.error === null ? 'Loading…' : '';
  return list.error === null ? count(list.data.items) : `Not up to date: ${list.error.detail}`;
}

function count(items: Diagnosis[]): string {
  const waiting = items.filter((item) => item.status === 'queued' || item.status === 'running').length;
  const all = `${items.length} ${items.length === 1 ? 'diagnosis' : 'diagnoses'}`;
  return waiting > 0 ? `${all}, ${waiting} in progress` : all;
}
