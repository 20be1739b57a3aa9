using R1Serverless.Queues;
using R1Serverless.Queues.Worker;

namespace R1Serverless.Tests.Queues.Worker;

public sealed class LeasePlanTests
{
    [Theory]
    // While the engine takes all that comes, both classes' lines grow with what runs.
    [InlineData(WorkClass.Interactive, 0, 0, 0, 8)]
    [InlineData(WorkClass.Bulk, 0, 0, 0, 8)]
    [InlineData(WorkClass.Bulk, 64, 0, 0, 72)]
    [InlineData(WorkClass.Bulk, 64, 30, 4, 38)]
    [InlineData(WorkClass.Bulk, 64, 60, 12, 0)]
    [InlineData(WorkClass.Bulk, 500, 0, 0, 462)]
    public void The_room_while_the_engine_has_room(WorkClass workClass, int running, int waiting, int starting, int room) =>
        Assert.Equal(room,
            LeasePlan.Room(workClass, new WorkerLoad(running, waiting, IsFull: false), new LeaseCount(running + waiting + starting, starting, 0),
            default, 1024));

    [Theory]
    // An idle engine: a short line of each class.
    [InlineData(WorkClass.Interactive, 0, 0, 0, 0, 0, 0, 8)]
    [InlineData(WorkClass.Bulk, 0, 0, 0, 0, 0, 0, 4)]
    // The line grows with what runs.
    [InlineData(WorkClass.Interactive, 64, 0, 64, 0, 0, 0, 24)]
    [InlineData(WorkClass.Bulk, 64, 0, 64, 0, 0, 0, 8)]
    // Who waits already fills the line, whether the engine knows of it or not.
    [InlineData(WorkClass.Interactive, 64, 20, 64, 0, 0, 0, 4)]
    [InlineData(WorkClass.Interactive, 64, 10, 64, 10, 0, 0, 4)]
    [InlineData(WorkClass.Bulk, 64, 5, 64, 0, 8, 3, 0)]
    // A line of bulk work leaves room for interactive work.
    [InlineData(WorkClass.Interactive, 64, 8, 0, 0, 72, 0, 16)]
    // A line of interactive work leaves bulk work its share of what runs: 8 of 64.
    [InlineData(WorkClass.Bulk, 64, 24, 0, 0, 88, 0, 8)]
    [InlineData(WorkClass.Bulk, 64, 24, 5, 0, 83, 0, 3)]
    [InlineData(WorkClass.Bulk, 64, 24, 8, 0, 80, 0, 0)]
    [InlineData(WorkClass.Bulk, 3, 500, 0, 0, 0, 0, 1)]
    [InlineData(WorkClass.Interactive, 3, 500, 0, 0, 0, 0, 1)]
    // Never more than may be held, one of which is the other class's.
    [InlineData(WorkClass.Interactive, 0, 0, 253, 0, 0, 0, 2)]
    [InlineData(WorkClass.Interactive, 0, 0, 256, 0, 0, 0, 0)]
    [InlineData(WorkClass.Bulk, 0, 0, 0, 0, 255, 0, 1)]
    [InlineData(WorkClass.Bulk, 0, 0, 0, 0, 256, 0, 0)]
    public void The_room_of_a_class(WorkClass workClass, int running, int waiting, int held, int starting, int otherHeld, int otherStarting,
    int room) =>
        Assert.Equal(room,
            LeasePlan.Room(workClass, new WorkerLoad(running, waiting, IsFull: true), new LeaseCount(held, starting, 0),
            new LeaseCount(otherHeld, otherStarting, 0), 256));

    [Fact]
    public void Two_leases_are_one_of_each_class()
    {
        LeaseCount none = default;
        Assert.Equal(1, LeasePlan.Room(WorkClass.Interactive, default, none, none, 2));
        Assert.Equal(1, LeasePlan.Room(WorkClass.Bulk, default, none, new LeaseCount(0, 0, 1), 2));
        Assert.Equal(0, LeasePlan.Room(WorkClass.Bulk, default, new LeaseCount(1, 0, 0), none, 2));
    }
}
