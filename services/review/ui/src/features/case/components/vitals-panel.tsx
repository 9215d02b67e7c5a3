import { useMemo } from 'react';

import { Panel } from '@/components/panel';
import { EmptyState, ErrorState, Loading } from '@/components/states';
import { searchVitals } from '@/features/case/api/search-vitals';
import { MarkSign } from '@/features/case/components/mark-sign';
import { NotShown } from '@/features/case/components/not-shown';
import { VitalChart } from '@/features/case/components/vital-chart';
import { panelId } from '@/features/case/lib/evidence';
import { countMarks, totalsOf } from '@/features/case/lib/vital-marks';
import { type Series, seriesOf } from '@/features/case/lib/vitals-series';
import type { Diagnosis } from '@/lib/contract';
import { useResource } from '@/lib/use-resource';

const WINDOW_MS = 72 * 3600 * 1000;

/** The vitals of the 72 hours before the case, one chart for each variable. */
export function VitalsPanel({ diagnosis }: { diagnosis: Diagnosis }) {
  const found = diagnosis.modalities?.vitals;
  const used = found?.status === 'used';
  return (
    <Panel
      id={panelId('vitals')}
      title="Vitals"
      aside={used ? <span className="small muted">72 h before the case; shaded where they counted</span> : undefined}
    >
      {used && diagnosis.case ? (
        <Charts diagnosis={diagnosis} asOf={diagnosis.case.asOf} />
      ) : (
        <NotShown modality="vitals" found={found} />
      )}
    </Panel>
  );
}

function Charts({ diagnosis, asOf }: { diagnosis: Diagnosis; asOf: string }) {
  const end = Date.parse(asOf);
  const start = end - WINDOW_MS;
  const vitals = useResource(`vitals/${diagnosis.id}`, (signal) =>
    searchVitals(diagnosis.patient, new Date(start), new Date(end), signal),
  );
  const windows = diagnosis.explanation?.vitals;
  const series = useMemo(
    () => seriesOf(vitals.data?.samples ?? [], windows ?? [], vitals.data?.clocks),
    [vitals.data, windows],
  );
  const strongest = Math.max(...(windows ?? []).map((window) => Math.abs(window.contribution)), 1e-9);
  if (vitals.error !== null) return <ErrorState error={vitals.error} retry={vitals.reload} />;
  if (vitals.data === null) return <Loading label="Loading the vitals" lines={6} />;
  if (series.length === 0) return <EmptyState icon="vitals" title="No samples in these 72 hours" />;
  return (
    <div className="vitals">
      {vitals.data.downsampled ? (
        <p className="small muted">
          {vitals.data.total} samples, thinned for the charts; lows and highs are kept.
        </p>
      ) : null}
      <MarkKey series={series} />
      {series.map((one, i) => (
        <VitalChart key={one.code} series={one} from={start / 1000} to={end / 1000} last={i === series.length - 1} strongest={strongest} />
      ))}
    </div>
  );
}

/** What the marks in the charts mean, and how many samples bear them; nothing where none does. */
function MarkKey({ series }: { series: Series[] }) {
  const { setAside, doubtful } = totalsOf(countMarks(series.flatMap((one) => one.marks)));
  if (setAside + doubtful === 0) return null;
  return (
    <p className="small vital-key">
      {setAside > 0 ? (
        <span>
          <MarkSign shape="cross" /> {setAside} set aside: not given to the model (<MarkSign shape="arrow" /> off the scale)
        </span>
      ) : null}
      {doubtful > 0 ? (
        <span>
          <MarkSign shape="ring" /> {doubtful} doubtful: given to the model, may be an artefact
        </span>
      ) : null}
    </p>
  );
}
