using Xunit.v3;

namespace R1Serverless.Tests.Limits;

/// <summary>A test took longer than it may. Its stack is what the test waited for then.</summary>
public sealed class TestLimitException(TimeSpan limit, string stack)
    : Exception($"The test was not done after {limit.TotalSeconds:0.###} s; what it waited for is below."), ITestTimeoutException
{
    public override string StackTrace => stack;
}
