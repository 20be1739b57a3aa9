using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues;

/// <summary>Routes as parts of queues' names: any model has one, and no two have the same.</summary>
public sealed class RouteNameTests
{
    [Theory]
    [InlineData("r1-nano", null, "r1-nano")]
    [InlineData("r1-nano", Precision.Int8, "r1-nano-int8")]
    [InlineData("qwen2", Precision.Fp16, "qwen2-fp16")]
    public void A_plain_name_stays(string model, Precision? precision, string name) =>
        Assert.Equal(name, RouteName.Of(new RequestRoute(model, precision)));

    [Fact]
    public void Names_are_fit_for_queues_and_none_is_anothers()
    {
        string[] models = ["r1-nano", "R1-Nano", "r1_nano", "r1-nano-int8", "r1", "r1-int8", "dead", "", "-", "é", "a--b", "a-b", "a-b-",
            "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", new string('x', 300)];
        RequestRoute[] routes = [.. models.Select(model => new RequestRoute(model)),
            .. models.SelectMany(model => Enum.GetValues<Precision>().Select(precision => new RequestRoute(model, precision)))];
        string[] names = [.. routes.Select(RouteName.Of)];
        Assert.All(names, name => Assert.Matches("^(?=.{1,27}$)[a-z0-9]+(-[a-z0-9]+)*$", name));
        Assert.DoesNotContain(RouteName.Dead, names);
        Assert.Equal(routes.Length, names.Distinct(StringComparer.Ordinal).Count());

        // A model may be called as another's queue: it keeps the name only where that other is itself.
        Assert.All(routes.Zip(names), pair => Assert.True(
            pair.First == new RequestRoute(pair.Second) || RouteName.Of(new RequestRoute(pair.Second)) != pair.Second));
    }
}
