using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues.Worker;

public sealed class DeliveryRulesTests
{
    [Theory]
    [InlineData(false, false, 1, null)]
    [InlineData(false, false, 5, null)]
    [InlineData(false, false, 6, InferenceErrorKind.Undeliverable)]
    [InlineData(false, true, 1, InferenceErrorKind.DeadlineExceeded)]
    [InlineData(true, false, 1, InferenceErrorKind.Cancelled)]
    [InlineData(true, true, 9, InferenceErrorKind.Cancelled)]
    [InlineData(false, true, 9, InferenceErrorKind.DeadlineExceeded)]
    public void What_is_not_started(bool isCancelled, bool isExpired, int delivery, InferenceErrorKind? refusal) =>
        Assert.Equal(refusal, DeliveryRules.Refusal(isCancelled, isExpired ? StopReason.Expired : StopReason.None, delivery, 5)?.Kind);

    [Theory]
    [InlineData(InferenceErrorKind.Internal, 1, null)]
    [InlineData(InferenceErrorKind.Internal, 2, null)]
    [InlineData(InferenceErrorKind.Internal, 3, InferenceErrorKind.Undeliverable)]
    // No fault of the request: it may be delivered as often as one whose worker died.
    [InlineData(InferenceErrorKind.Unavailable, 4, null)]
    [InlineData(InferenceErrorKind.QueueFull, 4, null)]
    [InlineData(InferenceErrorKind.QueueFull, 5, InferenceErrorKind.Undeliverable)]
    [InlineData(InferenceErrorKind.InvalidRequest, 1, InferenceErrorKind.InvalidRequest)]
    [InlineData(InferenceErrorKind.ModelNotFound, 1, InferenceErrorKind.ModelNotFound)]
    [InlineData(InferenceErrorKind.ContextLengthExceeded, 1, InferenceErrorKind.ContextLengthExceeded)]
    [InlineData(InferenceErrorKind.OutOfMemory, 5, InferenceErrorKind.OutOfMemory)]
    public void What_a_failure_leaves(InferenceErrorKind kind, int delivery, InferenceErrorKind? final) =>
        Assert.Equal(final,
            DeliveryRules.Final(new InferenceError(kind, "x"), delivery, new QueueWorkerOptions { MaxAttempts = 3, MaxDeliveries = 5 })?.Kind);

    [Fact]
    public void What_every_delivery_would_meet_again()
    {
        Assert.All((Exception[])[new InvalidOperationException(), new KeyNotFoundException(),
            new FormatException(), new OverflowException()], fault => Assert.True(DeliveryRules.IsOwn(fault), fault.GetType().Name));
        Assert.All((Exception[])[new IOException(), new OutOfMemoryException(), new TimeoutException(), new ObjectDisposedException("engine"),
            new OperationCanceledException()], fault => Assert.False(DeliveryRules.IsOwn(fault), fault.GetType().Name));
    }

    [Theory]
    [InlineData(1, 0.5, 1)]
    [InlineData(2, 1, 2)]
    [InlineData(3, 2, 4)]
    [InlineData(6, 15, 30)]
    [InlineData(1000, 15, 30)]
    public void Redelivery_waits_ever_longer(int attempt, double least, double most)
    {
        Assert.Equal(TimeSpan.FromSeconds(least), Backoff.Redelivery.After(attempt, 0));
        Assert.InRange(Backoff.Redelivery.After(attempt, 0.999).TotalSeconds, most * 0.99, most);
    }
}
