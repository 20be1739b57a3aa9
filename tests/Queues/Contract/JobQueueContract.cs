using System.Text;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Contract;

/// <summary>The queue of jobs, which whoever takes jobs may rely on. Two may get one job at once.</summary>
public abstract class JobQueueContract : TransportContract
{
    [Fact]
    public async Task A_job_comes_as_it_went_until_it_is_completed()
    {
        var job = $$"""{"id":"é","body":{"messages":"{{new string('x', 20_000)}}"} }""";
        await Gateway.Jobs.EnqueueAsync(Encoding.UTF8.GetBytes(job), Stop);
        var first = await LeaseAsync(Worker);
        Assert.Equal((job, 1), (Encoding.UTF8.GetString(first.Message.Span), first.Deliveries));
        await first.AbandonAsync(TimeSpan.Zero, Stop);
        var second = await LeaseAsync(Worker);
        Assert.Equal((first.Id, job, 2), (second.Id, Encoding.UTF8.GetString(second.Message.Span), second.Deliveries));
        await second.CompleteAsync(Stop);
        Assert.Null(await Worker.Jobs.LeaseAsync(TimeSpan.Zero, Stop));
        Assert.Null(await Gateway.Jobs.LeaseAsync(TimeSpan.Zero, Stop));
    }

    [Fact]
    public async Task A_job_given_back_with_a_delay_comes_after_it_under_its_id()
    {
        await Gateway.Jobs.EnqueueAsync("{}"u8.ToArray(), Stop);
        var first = await LeaseAsync(Worker);
        await first.AbandonAsync(TimeSpan.FromSeconds(2), Stop);
        Assert.Null(await Worker.Jobs.LeaseAsync(TimeSpan.Zero, Stop));
        await Fixture.PassAsync(TimeSpan.FromSeconds(3));
        var second = await LeaseAsync(Worker);
        Assert.Equal((first.Id, 2), (second.Id, second.Deliveries));
        await second.AbandonAsync(TimeSpan.FromSeconds(2), Stop);
        await Fixture.PassAsync(TimeSpan.FromSeconds(3));
        var third = await LeaseAsync(Worker);
        Assert.Equal((first.Id, 3), (third.Id, third.Deliveries));
    }

    [Fact]
    public async Task A_job_put_aside_does_not_come_again_and_those_behind_it_do()
    {
        await Gateway.Jobs.EnqueueAsync("no job"u8.ToArray(), Stop);
        await (await LeaseAsync(Worker)).DeadLetterAsync("it is no job", Stop);
        await Gateway.Jobs.EnqueueAsync("{}"u8.ToArray(), Stop);
        var next = await LeaseAsync(Worker);
        Assert.Equal("{}", Encoding.UTF8.GetString(next.Message.Span));
        await next.CompleteAsync(Stop);
        Assert.Null(await Worker.Jobs.LeaseAsync(TimeSpan.Zero, Stop));
    }

    [Fact]
    public async Task A_job_of_a_process_that_is_gone_comes_to_another()
    {
        await Gateway.Jobs.EnqueueAsync("{}"u8.ToArray(), Stop);
        var lost = await LeaseAsync(Worker);
        await Worker.DisposeAsync();
        await Fixture.PassAsync(TimeSpan.FromSeconds(61));
        var again = await LeaseAsync(Gateway);
        Assert.Equal(lost.Id, again.Id);
        await again.CompleteAsync(Stop);
    }

    private static async Task<JobLease> LeaseAsync(Transport transport) =>
        Assert.IsAssignableFrom<JobLease>(await transport.Jobs.LeaseAsync(Patience, Stop));
}
