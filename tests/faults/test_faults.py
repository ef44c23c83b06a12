import asyncio

import faults
from trial import Trial


def test_three_kills(tmp_path):
    async def run():
        async with Trial(tmp_path, 1) as trial:
            for _ in range(3):
                await trial.round(3000, [faults.kill_server])
            await trial.end()
        print(trial.checker.statuses, trial.reconnects, trial.runs, trial.keeper.ends)
        assert trial.keeper.kills == 3

    asyncio.run(run())
