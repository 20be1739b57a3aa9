using System.Text;
using R1Serverless.Triggers;

namespace R1Serverless.Tests.Triggers;

/// <summary>What the host writes into an invocation, in all its spellings.</summary>
public sealed class QueueInvocationTests
{
    private const string Job = """{"jobId":"j1"}""";

    [Theory]
    // As the real host was seen to write it.
    [InlineData("""{"Data":{"msg":"\"{\\\"jobId\\\":\\\"j1\\\"}\""},"Metadata":{"DequeueCount":"1","Id":"\"79e2\"","PopReceipt":"\"x\"","sys":{"MethodName":"m","UtcNow":"2026-01-01","RandGuid":"g"}}}""", "79e2", 1)]
    [InlineData("""{"Data":{"msg":"{\"jobId\":\"j1\"}"},"Metadata":{"DequeueCount":"\"3\"","Id":"79e2"}}""", "79e2", 3)]
    [InlineData("""{"Data":{"msg":{"jobId":"j1"}},"Metadata":{"DequeueCount":4,"Id":"79e2"}}""", "79e2", 4)]
    [InlineData("""{"Data":{"msg":"\"eyJqb2JJZCI6ImoxIn0=\""},"Metadata":"{\"Id\":\"79e2\",\"DequeueCount\":2}"}""", "79e2", 2)]
    [InlineData("""{"Data":{"job":"{\"jobId\":\"j1\"}"},"Metadata":{"MessageId":"\"order-7\"","DeliveryCount":"2","SequenceNumber":"9","LockToken":"\"5f0c\""}}""", "order-7", 2)]
    [InlineData("""{"Data":{"job":"{\"jobId\":\"j1\"}"},"Metadata":{"MessageId":null,"SequenceNumber":"9"}}""", "9", 1)]
    [InlineData("""{"Data":{"job":"{\"jobId\":\"j1\"}"},"Metadata":{"MessageId":"\"copy\"","ApplicationProperties":"{\"r1-job\":\"first\"}"}}""", "first", 1)]
    public void One_message_is_read_however_it_is_quoted(string invocation, string id, int deliveries)
    {
        TriggerMessage message = Assert.Single(Read(invocation)!);
        Assert.Equal((id, Job, deliveries), (message.Id, Encoding.UTF8.GetString(message.Body.Span), message.Deliveries));
    }

    [Fact]
    public void The_lock_comes_along() =>
        Assert.Equal("5f0c", Assert.Single(Read("""{"Data":{"job":"{}"},"Metadata":{"MessageId":"m","LockToken":"\"5f0c\""}}""")!).Receipt);

    [Theory]
    [InlineData("""{"Data":{"msg":"[\"m1\",\"m2\"]"}}""")]
    [InlineData("""{"Data":{"msg":"\"[\\\"m1\\\",\\\"\\\\\\\"m2\\\\\\\"\\\"]\""}}""")]
    [InlineData("""{"Data":{"msg":["m1","m2"]},"Metadata":{}}""")]
    public void Several_messages_come_as_one_array(string invocation)
    {
        TriggerMessage[] messages = [.. Read(invocation)!];
        Assert.Equal(["m1", "m2"], messages.Select(one => Encoding.UTF8.GetString(one.Body.Span)));
        Assert.Equal(2, messages.Select(one => one.Id).Distinct().Count());
        Assert.Equal(messages.Select(one => one.Id), Read(invocation)!.Select(one => one.Id));
    }

    [Fact]
    public void Each_of_several_has_its_own_metadata()
    {
        var messages = Read("""{"Data":{"job":"[\"m1\",\"m2\"]"},"Metadata":{"MessageIdArray":"[\"a\",null]","DeliveryCountArray":"[1,7]","SequenceNumberArray":"[5,6]","LockTokenArray":"[\"x\",\"y\"]"}}""")!;
        Assert.Equal([("a", 1, "x"), ("6", 7, "y")], messages.Select(one => (one.Id, one.Deliveries, one.Receipt)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"Data\":{}}")]
    [InlineData("{\"Data\":\"x\"}")]
    [InlineData("{\"Data\":{\"a\":\"1\",\"b\":\"2\"}}")]
    public void What_is_no_invocation_is_not_taken_for_one(string invocation) => Assert.Null(Read(invocation));

    [Theory]
    [InlineData("""{"Data":{"job":"[]"}}""", "[]")]
    [InlineData("""{"Data":{"job":""}}""", "")]
    [InlineData("""{"Data":{"job":"\"not closed"}}""", "\"not closed")]
    [InlineData("""{"Data":{"job":null}}""", "null")]
    public void A_message_that_is_no_job_is_still_one_message(string invocation, string body) =>
        Assert.Equal(body, Encoding.UTF8.GetString(Assert.Single(Read(invocation)!).Body.Span));

    private static IReadOnlyList<TriggerMessage>? Read(string invocation) => QueueInvocation.Read(Encoding.UTF8.GetBytes(invocation));
}
